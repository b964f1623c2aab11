//! Outlines as people would write them.

use super::{check_symbols, of};
use crate::analysis::Language::{self, Java, JavaScript, Python, TypeScript};
use crate::analysis::{Symbol, Visibility};

const CASES: &[(Language, &str, &[&str])] = &[
    // Nothing in callbacks.
    (
        JavaScript,
        "describe(\"x\", () => {\n  const shared = 1;\n  function helper() { return 1; }\n  class Fake { m() {} }\n  let counter = 0;\n  it(\"works\", () => { const got = helper(); });\n});\n(function () { var priv = 1; function hidden() {} })();\n",
        &[],
    ),
    (
        TypeScript,
        "class A {\n  s = of(1).pipe(map((x) => { const y = x; return y }));\n  m() { this.a$.subscribe(() => { const abort = 1; function inner() {} }); }\n}\nconst b = useMemo(() => { const c = 1; interface D { e: 1 } return c }, []);\n",
        &[
            "Class A 1-4",
            "Field A.s 2-2",
            "Method A.m 3-3",
            "Constant b 5-5",
        ],
    ),
    (
        TypeScript,
        "class A { static { const s = 1; } }\nif (a) { const b = 1; var c = 2; function d() {} { let deep; } }\nfor (let i = 0; i < 1; i++) { const e = 1; }\nfor (const x of y) { const f = 1; }\nnamespace N { const g = 1; { const h = 1; } }\nconst i = 1;\n",
        &[
            "Class A 1-1",
            "Variable c 2-2",
            "Function d 2-2",
            "Namespace N 5-5",
            "Constant N.g 5-5",
            "Constant i 6-6",
        ],
    ),
    (
        Java,
        "class A { Fn f = () -> { class Local { void x() {} } Object o = new Object() { void y() {} }; return 1; }; void g() {} }\n",
        &["Class A 1-1", "Field A.f 1-1", "Method A.g 1-1"],
    ),
    (
        JavaScript,
        "exports[\"quoted\"] = function () {};\nFoo.prototype['computed'] = () => {};\nFoo[bar] = function () {};\n",
        &[
            "Function exports.quoted 1-1",
            "Method Foo.prototype.computed 2-2",
        ],
    ),
    // Assigned functions.
    (
        JavaScript,
        "var app = exports = module.exports = {};\n\n/** Mounts. */\napp.use = function use(fn) {\n  var offset = 0;\n  function inner() { return offset; }\n  return fn(offset);\n};\n\napp.lazy = (a) => { let cache = a; return cache; };\n\nfunction Point(x) { this.x = x; var local = 1; }\nPoint.prototype.norm = function () { return Math.abs(this.x); };\nPoint.from = function from(o) { var p = new Point(o.x); return p; };\nObject.assign(Point.prototype, { scale(k) { return k; } });\nexports.make = make;\nexports.other = function () {};\nmodule.exports.Point = Point;\nfunction make() {}\n",
        &[
            "Variable app 1-1",
            "Function app.use 4-8",
            "Function app.lazy 10-10",
            "Function Point 12-12",
            "Method Point.prototype.norm 13-13",
            "Function Point.from 14-14",
            "Method Point.prototype.scale 15-15",
            "Function exports.other 17-17",
            "Function make 19-19",
        ],
    ),
    (
        JavaScript,
        "module.exports = {\n  one() {},\n  two: function () { var a; },\n  three: { four: () => 1, five: 5 },\n};\nmodule.exports.six = class { m() {} };\nmodule.exports = function () {};\nlet seven;\nseven = function () {};\neight = () => {};\n",
        &[
            "Method module.exports.one 2-2",
            "Method module.exports.two 3-3",
            "Method module.exports.three.four 4-4",
            "Class module.exports.six 6-6",
            "Method module.exports.six.m 6-6",
            "Function module.exports 7-7",
            "Variable seven 8-8",
            "Function eight 10-10",
        ],
    ),
    // Members of objects and of class expressions.
    (
        TypeScript,
        "const p = { get size() { return 1 }, set size(v) {}, toJSON() { const a = 1 }, n: 1, o: { q() {} } };\nexport const cfg = { run() {} } satisfies Cfg;\nfunction m() { return class extends B { pipe() {} x = 1 } }\nexport default { data() { return {} }, methods: { go() {} } };\ncall({ hidden() {} }, class { hidden() {} });\n",
        &[
            "Constant p 1-1",
            "Property p.size 1-1",
            "Property p.size 1-1",
            "Method p.toJSON 1-1",
            "Method p.o.q 1-1",
            "Constant cfg 2-2",
            "Method cfg.run 2-2",
            "Function m 3-3",
            "Method m.<anonymous@3>.pipe 3-3",
            "Field m.<anonymous@3>.x 3-3",
            "Method default.data 4-4",
            "Method default.methods.go 4-4",
        ],
    ),
    (
        TypeScript,
        "export const Mixin = (B) => class extends B { pipe() {} };\nconst K = class Named { m() {} };\nlet w = (function () {} as any);\n",
        &[
            "Function Mixin 1-1",
            "Method Mixin.<anonymous@1>.pipe 1-1",
            "Class K 2-2",
            "Method K.m 2-2",
            "Function w 3-3",
        ],
    ),
    // Parameter properties.
    (
        TypeScript,
        "export class Svc {\n  constructor(private readonly repo: Repo, public name?: string, protected log = console, plain: number) {}\n  m(a: string) {}\n}\n",
        &[
            "Class Svc 1-4",
            "Constructor Svc.constructor 2-2",
            "Field Svc.repo 2-2",
            "Field Svc.name 2-2",
            "Field Svc.log 2-2",
            "Method Svc.m 3-3",
        ],
    ),
    (
        TypeScript,
        "export default class {\n  m(a: number) { return a ? 1 : 2; }\n}\n",
        &["Class default 1-3", "Method default.m 2-2"],
    ),
    // Type aliases of Python.
    (
        Python,
        "type Simple = int | str\ntype Pair[T] = tuple[T, T]\ntype Bound[K: str, *Ts] = dict[K, tuple[*Ts]]\nclass Holder:\n    type Inner[T] = list[T]\n    # end\ndef f():\n    type Local = int\n",
        &[
            "TypeAlias Simple 1-1",
            "TypeAlias Pair 2-2",
            "TypeAlias Bound 3-3",
            "Class Holder 4-5",
            "TypeAlias Holder.Inner 5-5",
            "Function f 7-8",
        ],
    ),
    // Java: anonymous classes, compact files, modules.
    (
        Java,
        "public class N {\n    static final Comparator<String> C = new Comparator<>() {\n        private int calls;\n        @Override public int compare(String a, String b) { return 0; }\n    };\n    void run() {\n        Runnable r = new Runnable() { public void run() { } };\n    }\n    Object o = new Object() { class Deep { void d() {} } };\n    enum Op { PLUS { int apply(int a) { return a; } }; abstract int apply(int a); }\n}\n",
        &[
            "Class N 1-11",
            "Constant N.C 2-5",
            "Field N.<anonymous@2>.calls 3-3",
            "Method N.<anonymous@2>.compare 4-4",
            "Method N.run 6-8",
            "Method N.run.<anonymous@7>.run 7-7",
            "Field N.o 9-9",
            "Class N.<anonymous@9>.Deep 9-9",
            "Method N.<anonymous@9>.Deep.d 9-9",
            "Enum N.Op 10-10",
            "EnumMember N.Op.PLUS 10-10",
            "Method N.Op.PLUS.apply 10-10",
            "Method N.Op.apply 10-10",
        ],
    ),
    (
        Java,
        "String greeting = \"hi\";\nfinal int a = 1, b = 2;\nvoid main() { int local = 1; }\n",
        &[
            "Field greeting 1-1",
            "Field a 2-2",
            "Field b 2-2",
            "Method main 3-3",
        ],
    ),
    (
        Java,
        "/** The module. */\n@Deprecated\nopen module com.acme.app {\n    requires java.sql;\n}\n",
        &["Module com.acme.app 2-5"],
    ),
];

#[test]
fn visible_items_are_listed() {
    for (language, text, expected) in CASES {
        check_symbols(*language, text, expected);
    }
}

fn visible(language: Language, text: &str) -> Vec<String> {
    let symbols: Vec<Symbol> = of(language, text).symbols;
    symbols
        .into_iter()
        .filter(|symbol| symbol.visibility == Visibility::Public)
        .map(|symbol| symbol.qualified_name)
        .collect()
}

#[test]
fn exported_items_are_public() {
    assert_eq!(
        visible(
            JavaScript,
            "function a() {}\nfunction b() {}\nmodule.exports = { a };\nexports.c = () => {};\n"
        ),
        ["a", "exports.c"]
    );
    assert_eq!(
        visible(
            Java,
            "class A { Object o = new B() { public void m() {} }; }"
        ),
        [""; 0]
    );
    assert_eq!(
        visible(
            TypeScript,
            "export class S { constructor(private a: A, readonly b: B) {} }"
        ),
        ["S", "S.constructor", "S.b"]
    );
}

#[test]
fn members_of_an_enum_keep_their_order() {
    let symbols = of(TypeScript, "enum E {\n  A = 1,\n  B,\n  'c-d' = 3,\n}\n").symbols;
    let names: Vec<&str> = symbols.iter().map(|s| s.qualified_name.as_str()).collect();
    assert_eq!(names, ["E", "E.A", "E.B", "E.c-d"]);
}

#[test]
fn declarations_in_a_switch_are_local() {
    let text = "switch (a) { case 1: const b = 2; var c = 3; function d() {} }\n";
    let symbols = of(TypeScript, text).symbols;
    let names: Vec<&str> = symbols.iter().map(|s| s.qualified_name.as_str()).collect();
    assert_eq!(names, ["c", "d"], "`var` is of the file");
}

#[test]
fn a_function_has_one_name_for_every_tool() {
    let texts = [
        (
            JavaScript,
            "var a = function b() {};\nc.d = function () {};\ne = { f() {}, g: { h: () => 1 } };\nexports.i = class { j() {} };\nexport default class { k() {} }\nObject.assign(l, { m() {} });\n",
        ),
        (
            TypeScript,
            "export const n = { o() {} } as const;\nfunction p() { return class Q { r = () => 1 } }\n",
        ),
        (
            Java,
            "class A { Object o = new B() { void m() {} }; A() {} enum E { F { void g() {} } } }",
        ),
    ];
    for (language, text) in texts {
        let analysis = of(language, text);
        for function in &analysis.functions {
            let is_listed = analysis
                .symbols
                .iter()
                .any(|symbol| symbol.qualified_name == function.qualified_name);
            assert!(is_listed, "{} in {text}", function.qualified_name);
        }
    }
}

#[test]
fn exports_of_a_file_are_listed() {
    let names = |language, text: &str| -> Vec<String> {
        let exports = of(language, text).exports;
        exports.into_iter().map(|export| export.name).collect()
    };
    assert_eq!(
        names(
            TypeScript,
            "export declare const a: number, b: number;\nexport declare function c(): void;\nexport declare class D {}\n\
             export namespace N { export const inside = 1 }\n\
             declare module 'm' { export function ambient(): void; export * from './x'; }\n"
        ),
        ["a", "b", "c", "D", "N"]
    );
    assert_eq!(
        names(
            JavaScript,
            "var router = module.exports = function () {};\nrouter.prototype = {};\nrouter.use = 1;\n"
        ),
        ["default", "use"]
    );
    assert_eq!(
        names(
            Python,
            "type Pair[T] = int\ntype _Own = int\ndef f():\n    type L = int\n"
        ),
        ["Pair", "f"]
    );
    assert_eq!(
        names(
            JavaScript,
            "var app = exports = module.exports = {};\napp.use = function () {};\napp.get = 1;\n"
        ),
        ["use", "get"]
    );
    assert_eq!(
        names(Java, "module a { exports a.api; exports a.spi to b; }"),
        ["a.api", "a.spi"]
    );
}
