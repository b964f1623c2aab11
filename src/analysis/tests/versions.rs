//! Syntax of Go, Java, Rust and Python that is newer than their grammars.

use super::{check_clean, check_functions, of};
use crate::analysis::Language::{self, Go, Java, Python, Rust};

const CASES: &[(Language, &str, &[&str])] = &[
    // Go: new of a value.
    (
        Go,
        "package p\n\nfunc table(a int) []*cfg {\n\tlist := []*cfg{\n\t\tnew(cfg{A: 1}),\n\t\tnew(cfg{A: 2}),\n\t}\n\tif a > 1 && len(list) > 0 {\n\t\treturn list\n\t}\n\treturn nil\n}\n\nfunc after(a int) int {\n\tfor i := range a {\n\t\tif i > 1 {\n\t\t\treturn i\n\t\t}\n\t}\n\treturn 0\n}\n",
        &["table 3-12 3/2", "after 14-21 3/3"],
    ),
    (
        Go,
        "package p\nfunc f() { a := new(3); b := new(\"s\"); c := new(x + y); d := new(-1); e := new(g(1)); h := new([]int{1}); i := new(x == nil || y); if a != nil {} }\nfunc types() { new(int); new(*T); new([3]int); new([]map[string]chan<- int); new(struct{ a int }); new(interface{ M() }); new(func(int) (a, b)); new(p.T[int]) }\nfunc g() { new(func() int { if a { return 1 }; return 2 }()); new(&x); new(<-c); new(!a) }\n",
        &[
            "f 2-2 3/2",
            "types 3-3 1/0",
            "g 4-4 1/0",
            "g.<anonymous@4> 4-4 2/2",
        ],
    ),
    (
        Go,
        "package p\nfunc ptr() { p := new(*int); t := new(pkg.T); w := new(len(x)); z := new(x.y.z); if a {} }\n",
        &["ptr 2-2 2/1"],
    ),
    // Go: generic methods.
    (
        Go,
        "package p\n\ntype Box[T any] struct{ v T }\n\nfunc (b Box[T]) To[U any](f func(T) U) Box[U] {\n\tif f == nil {\n\t\treturn Box[U]{}\n\t}\n\treturn Box[U]{v: f(b.v)}\n}\n\nfunc (b *Box[T]) Plain(a int) int {\n\tif a > 1 {\n\t\treturn 1\n\t}\n\treturn 2\n}\n",
        &["Box.To 5-10 2/1", "Box.Plain 12-17 2/1"],
    ),
    (
        Go,
        "package p\ntype Mapper[T any] interface {\n\tMap[U any, V int | string](f func(T) U) Mapper[U]\n\tPlain()\n}\nfunc (m *M) Do[K comparable, V any](x map[K]V) { for range x {} }\nfunc f() { m.Do[string, int](nil) }\n",
        &["M.Do 6-6 2/1", "f 7-7 1/0"],
    ),
    // Java.
    (
        Java,
        "package p;\n\nimport module java.base;\nimport java.util.List;\n\nclass M {\n    int f(int a) { return a > 1 ? 1 : 2; }\n}\n",
        &["M.f 7-7 2/1"],
    ),
    (
        Java,
        "class A extends B { A(int x) { if (x < 0) throw e; super(x); } A() { int y = 1; while (y > 0) y--; this(y); } int n() { return 1; } }\n",
        &["A.A 1-1 2/1", "A.A 1-1 2/1", "A.n 1-1 1/0"],
    ),
    (
        Java,
        "class A { int f(Object o) { return switch (o) { case Integer _, String _ -> 1; case P(int _), Q<String>(var _) when o != null -> 2; default -> 3; }; } void g() {} }\n",
        &["A.f 1-1 3/1", "A.g 1-1 1/0"],
    ),
    (
        Java,
        "value class V { int a() { return x ? 1 : 2; } }\npublic value record R(int value) { R { if (value < 0) throw e; } }\n",
        &["V.a 1-1 2/1", "R.R 2-2 2/1"],
    ),
    // Java: initializers and receivers.
    (
        Java,
        "enum E {\n    A, B;\n    private int x;\n    { if (x > 1 && x < 5) x = 2; }\n    static { if (A == B) throw new Error(); }\n    int get() { return x; }\n}\nclass K { { if (a) b(); } }\n",
        &[
            "E.<init> 4-4 3/2",
            "E.<static> 5-5 2/1",
            "E.get 6-6 1/0",
            "K.<init> 8-8 2/1",
        ],
    ),
    // Rust.
    (
        Rust,
        "impl B {\n    pub fn build(self) -> u8 {\n        for s in self.list {\n            match s {\n                Addr::Tls {\n                    host: _,\n                    #[cfg(feature = \"tls\")]\n                    params,\n                    #[cfg(not(feature = \"tls\"))]\n                        params: _,\n                } => {\n                    if insecure { return 1; }\n                }\n                Addr::Plain(..) => {}\n            }\n        }\n        0\n    }\n    fn next(&self) {}\n}\npub fn after(a: bool) -> u8 { if a { 1 } else { 2 } }\n",
        &["B::build 2-18 5/6", "B::next 19-19 1/0", "after 21-21 2/2"],
    ),
    (
        Rust,
        "fn f() { let A { #[a] x, #[b] ref mut y, .. } = z; let c = |#[d] e: u8| e; let g = #[h] i; }\nunsafe extern \"C\" { safe fn j(); pub safe static K: u8; }\nfn l() {}\n",
        &["f 1-1 1/0", "f::<anonymous@1> 1-1 1/0", "l 3-3 1/0"],
    ),
    (
        Rust,
        "gen fn f() { if a { yield 1; } }\nconst trait A { fn m(&self) {} }\nimpl<T> const A for B<T> { fn n(&self) {} }\nfn g<T: const A + ~const B>(x: impl async Fn()) where T: [const] C { become h(); }\nauto trait D {}\ntrait E = F + G;\npub struct H { #[x] pub a: u8 = 3, pub b: Vec<u8> = vec![1, 2] }\nfn i() {}\n",
        &[
            "f 1-1 2/1",
            "A::m 2-2 1/0",
            "B::n 3-3 1/0",
            "g 4-4 1/0",
            "i 8-8 1/0",
        ],
    ),
    (
        Rust,
        "fn f() { let x = str![[r#\"a\"#]]; assert(y, str![\"b\"].raw()); if try!(c(d)) { e() } }\nfn g() -> bool { !(a) }\n",
        &["f 1-1 2/1", "g 2-2 1/0"],
    ),
    // Python.
    (
        Python,
        "class A[T = int, *Ts = *tuple[int, ...], **P = [int, str]]:\n    def m[U: str = str](self):\n        return 1 if a else 2\ntype X[T = dict[str, int]] = T\n",
        &["A.m 2-3 2/1"],
    ),
];

#[test]
fn syntax_newer_than_the_grammar_is_read() {
    for (language, text, expected) in CASES {
        check_clean(*language, text, expected);
    }
}

#[test]
fn an_annotated_receiver_is_no_parameter() {
    let text = "class R { void recv(@A R this, int a) {} class In { In(R R.this, int b) {} } int none(@A(x = 1) final R this) { return 1; } void va(final int a, int... b) {} }";
    let counts: Vec<_> = of(Java, text)
        .functions
        .iter()
        .map(|one| (one.name.clone(), one.parameters))
        .collect();
    let counts: Vec<_> = counts
        .iter()
        .map(|(name, count)| (name.as_str(), *count))
        .collect();
    assert_eq!(counts, [("recv", 1), ("In", 1), ("none", 0), ("va", 2)]);
}

#[test]
fn java_modules_are_imports() {
    let import = |text: &str| {
        let imports = of(Java, text).imports;
        let named: Vec<_> = imports.into_iter().map(|one| one.specifier).collect();
        named.join(" ")
    };
    assert_eq!(
        import("import module java.base;\nimport java.util.List;\n"),
        "java.base java.util.List"
    );
    assert_eq!(
        import(
            "open module a.b { requires transitive java.sql; requires static lombok; exports a.b.api to c; }"
        ),
        "java.sql lombok"
    );
}

#[test]
fn carriage_returns_alone_end_lines() {
    check_functions(
        Python,
        "def grün(a):\r    if a:\r        return \"é\"\r    return a\r",
        &["grün 1-4 2/1"],
    );
    check_functions(
        Language::JavaScript,
        "// one\rfunction f(a) {\r  // two\r  return a ? 1 : 2\r}\rfunction g() {}",
        &["f 2-5 2/1", "g 6-6 1/0"],
    );
    check_functions(
        Java,
        "class A {\r\n  // mixed\r  int f() { return 1; }\r\n}\r\n",
        &["A.f 3-3 1/0"],
    );
    check_functions(
        Language::C,
        "int f(void)\r{\r  return 1;\r}\r",
        &["f 1-4 1/0"],
    );
    assert_eq!(of(Python, "a = 1\r\rb = 2\r").lines.sloc, 3);
}

#[test]
fn a_python_function_ends_with_its_last_statement() {
    check_functions(
        Python,
        "class A:\n    def f(self):\n        if a:\n            return 1\n            # one\n        # two\n\n    # three\n    def g(self): pass\n    # four\n\nx = 1\n",
        &["A.f 2-4 2/1", "A.g 9-9 1/0"],
    );
}
