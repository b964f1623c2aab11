//! TypeScript and JavaScript syntax that the grammars do not know.

use super::{check_clean, check_symbols};
use crate::analysis::Language::{self, JavaScript, Tsx, TypeScript};

const CASES: &[(Language, &str, &[&str])] = &[
    // Overloads on lines of their own.
    (
        TypeScript,
        "export const round: {\n  (unit: Unit): <A extends Clock>(self: A) => A\n  <A extends Clock>(self: A, unit: Unit): A\n} = dual(2, (self: Clock, unit: Unit): Clock =>\n  change(self, (date) => {\n    if (unit === \"ms\") return\n    date.go(1)\n  }))\n\nconst label = (zone: Zone): string => {\n  if (zone.tag === \"named\") {\n    return zone.id\n  }\n  return other(zone)\n}\n\nexport function tail(a: boolean) { return a ? 1 : 2 }\n",
        &[
            "<anonymous@4> 4-8 1/0",
            "<anonymous@4>.<anonymous@5> 5-8 2/2",
            "label 10-15 2/1",
            "tail 17-17 2/1",
        ],
    ),
    (
        TypeScript,
        "export const make = <A>(): {\n  readonly id: string\n  <B>(b: B): A\n} => { return x ? 1 : 2 }\nconst next = () => 1\n",
        &["make 1-4 2/1", "next 5-5 1/0"],
    ),
    (
        TypeScript,
        "type A = {\nm(): void\n<T>(x: T): T\n}\ninterface B {\n\ta?: string[]\n\t<T, U extends Array<T>>(x: T): U\n\t<T>(x: T)\n}\nfunction f(o: {\n  a: Map<string, number>\n  <T>(x: T): { b: T }\n}) { if (o) return }\n",
        &["f 10-13 2/1"],
    ),
    (
        TypeScript,
        "class A {\n  on: {\n    (a: 'x'): void\n    <K extends string>(a: K): void\n  } = f\n  m() { return this.on ? 1 : 2 }\n}\n",
        &["A.m 6-6 2/1"],
    ),
    // Code that looks like one.
    (
        TypeScript,
        "const a = [\n  <T>(x: T) => x,\n  <T,>(x: T) => x\n]\nfor (using x of y) {}\n",
        &["<anonymous@2> 2-2 1/0", "<anonymous@3> 3-3 1/0"],
    ),
    // The words after `as const` are not a name.
    (
        TypeScript,
        "export type * from './a';\nexport const s = { run() { if (a) b(); } } as const satisfies Record<string, () => void>;\nfunction g() {}\n",
        &["s.run 2-2 2/1", "g 3-3 1/0"],
    ),
    // The `>` of an arrow does not close type arguments.
    (
        TypeScript,
        "const f: F<number> = x=>`t`;\nfunction g() {}\n",
        &["f 1-1 1/0", "g 2-2 1/0"],
    ),
    (
        TypeScript,
        "const f = a<b&&(c=>`t`);\nfunction g() {}\n",
        &["<anonymous@1> 1-1 1/0", "g 2-2 1/0"],
    ),
    // Variance.
    (
        TypeScript,
        "export interface Z<out A> extends Base<A> { id: A }\nclass C<in T> { m(x: T) { return x ? 1 : 2 } }\ntype F<in out T, const U, in V = string> = () => T\nabstract class D<out in_, in out_> extends C<in_> { n() {} }\nfunction g() {}\n",
        &["C.m 2-2 2/1", "D.n 4-4 1/0", "g 5-5 1/0"],
    ),
    (
        Tsx,
        "export class C<in T, out U> { m = (x: T) => <p>don't {x}</p>; n() { return <b/> } }\n",
        &["C.m 1-1 1/0", "C.n 1-1 1/0"],
    ),
    // Resources.
    (
        TypeScript,
        "export function a(h: any) {\n  for (using x of h) { if (x) break; }\n  return 1;\n}\n",
        &["a 1-4 3/3"],
    ),
    (
        TypeScript,
        "class Pool {\n  take(h: any) {\n    for (using x of h) {\n      if (x) return x;\n    }\n    for (await using y of h) {\n      if (y && y.ok) return y;\n    }\n  }\n  size() { return this.a ? 1 : 2; }\n}\n",
        &["Pool.take 2-9 6/7", "Pool.size 10-10 2/1"],
    ),
    (
        TypeScript,
        "async function f(h) {\n  for await (using x of h) { g() }\n  for (using x = g(), y = h; x.ok; x.next()) { if (x) g() }\n}\n",
        &["f 1-4 4/4"],
    ),
    // Members with the name of a modifier.
    (
        TypeScript,
        "class A {\n  abstract: string = \"\";\n  declare: number = 1;\n  readonly: boolean;\n  override = 1;\n  accessor = 2;\n  static accessor #n = 1;\n  static accessor plain: string = \"\";\n  static static() { return 1; }\n  async async() {}\n  accessor() { return 1; }\n  declare() { return 1; }\n  readonly readonly = 2;\n}\n",
        &[
            "A.static 9-9 1/0",
            "A.async 10-10 1/0",
            "A.accessor 11-11 1/0",
            "A.declare 12-12 1/0",
        ],
    ),
    (
        JavaScript,
        "class A { accessor x = 1; @d accessor y = () => x; static accessor z; m() { if (a) b() } }\nimport { accessor as q } from 'q';\n",
        &["A.y 1-1 1/0", "A.m 1-1 2/1"],
    ),
    (
        TypeScript,
        "abstract class A { abstract override p: string; abstract override m(): void; n() {} }\n",
        &["A.n 1-1 1/0"],
    ),
    // Templates with type arguments.
    (
        TypeScript,
        "const o = {\n  get: () =>\n    sql<Row>`S`(\n      x\n    ),\n  all: () => sql<{ id: string }>`a ${b ? 1 : 2}`,\n}\nconst p = a.b<C<D>>`x`\n",
        &["o.get 2-5 1/0", "o.all 6-6 2/1"],
    ),
    (
        TypeScript,
        "type A = `a\\`b${string}`\nfunction f() { return a ? `\\`` : 1 }\n",
        &["f 2-2 2/1"],
    ),
    // Names that are operators elsewhere.
    (
        TypeScript,
        "let as = 1\ninterface X {\n  a: string\n  in: \"x\"\n  instanceof?: number\n}\nfunction f(x: X) { return x.in ? as : 2 }\n",
        &["f 7-7 2/1"],
    ),
    (
        TypeScript,
        "export type * from './t'\nexport type * as ns from './t' with { type: \"json\" }\nimport defer * as d from 'd'\nimport source s from 's'\nexport function f() { import.defer('x'); if (a) b() }\n",
        &["f 5-5 2/1"],
    ),
    (
        TypeScript,
        "export default abstract class {\n  m(a: number) { return a ? 1 : 2; }\n}\n",
        &["default.m 2-2 2/1"],
    ),
    (
        JavaScript,
        "class A {\n  x\n  *gen() { if (a) yield 1 }\n  static y = 1\n  *[Symbol.iterator]() {}\n}\nconst z = a\n  * f(b)\n",
        &["A.gen 3-3 2/1", "A.[Symbol.iterator] 5-5 1/0"],
    ),
];

#[test]
fn syntax_newer_than_the_grammar_is_read() {
    for (language, text, expected) in CASES {
        check_clean(*language, text, expected);
    }
}

#[test]
fn members_keep_their_names() {
    check_symbols(
        TypeScript,
        "class A {\n  abstract: string = \"\";\n  accessor = 2;\n  static accessor #n = 1;\n  accessor() {}\n}\n",
        &[
            "Class A 1-6",
            "Field A.abstract 2-2",
            "Field A.accessor 3-3",
            "Field A.#n 4-4",
            "Method A.accessor 5-5",
        ],
    );
}

#[test]
fn a_re_export_of_types_is_erased() {
    let analysis = super::of(
        TypeScript,
        "export type * from './t'\nexport * from './u'\n",
    );
    let erased: Vec<_> = analysis
        .imports
        .iter()
        .map(|import| (import.specifier.as_str(), import.type_only))
        .collect();
    assert_eq!(erased, [("./t", true), ("./u", false)]);
}
