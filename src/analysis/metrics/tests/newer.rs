//! Syntax of newer versions of the languages.

use expect_test::expect;

use super::cases::check;
use crate::analysis::Language;

#[test]
fn newer_constructs() {
    check(
        Language::Rust,
        "fn f(a: Option<u32>, b: bool) -> u32 {
    if let Some(x) = a && x > 3 && b { return 1; }
    while let Some(y) = next() && b { if y > 1 || b { break; } }
    let Some(z) = a else { return 2 };
    match (z, a) { (1, _) | (2, _) => 1, (_, Some(n)) if n > 1 && b => 2, other => 3 }
}
async fn g(x: Vec<u32>) { async move { for i in x { if i > 1 { continue; } } }.await }
",
        &expect![[r#"
            f Function 1-6 cognitive=10+0 nesting=2 parameters=2 exits=2
                strict=13 modified=11 radon=12 eslint=13 gocyclo=13 checkstyle=13 pmccabe=13 lizard=13
            g Function 7-7 cognitive=3+0 nesting=2 parameters=1 exits=0
                strict=3 modified=3 radon=3 eslint=3 gocyclo=3 checkstyle=3 pmccabe=3 lizard=3
            outside: strict=1
        "#]],
    );
    check(
        Language::Python,
        "def f(p):
    match p:
        case {'a': 1, **rest} if rest and p: return 1
        case [1, *_] | (3, 4): return 2
        case str() as s: return 4
        case None: return 5
        case _: return 7
async def g(x):
    async for y in x:
        async with y as z: pass
    try: pass
    except* ValueError: pass
    if (n := len(x)) > 1: return f'{x if x else n!r:>{n or 1}}'
",
        &expect![[r#"
            f Function 1-7 cognitive=2+0 nesting=1 parameters=1 exits=5
                strict=6 modified=3 radon=6 eslint=6 gocyclo=6 checkstyle=6 pmccabe=6 lizard=8
            g Function 8-13 cognitive=6+0 nesting=1 parameters=1 exits=1
                strict=6 modified=6 radon=6 eslint=6 gocyclo=6 checkstyle=6 pmccabe=6 lizard=6
            outside: strict=1
        "#]],
    );
    check(
        Language::Tsx,
        "class V {
  @memo(() => a && b) m<K>(k: K, ...r: T[]): k is K { return !!k && (r as any).length > 0; }
  private readonly f = async <U,>(u: U) => { for await (const x of y) { if (x) return x; } };
  static { for (const a of b) if (a) c(); }
}
function over(a: string): void; function over(a: any) { switch (true) { case a > 1: case a > 2: return a satisfies U; default: } }
",
        &expect![[r#"
            V.<anonymous@2> Closure 2-2 cognitive=1+0 nesting=0 parameters=0 exits=0
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            V.m Method 2-2 cognitive=1+0 nesting=0 parameters=2+self exits=1
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            V.f Method 3-3 cognitive=3+0 nesting=2 parameters=1 exits=1
                strict=3 modified=3 radon=3 eslint=3 gocyclo=3 checkstyle=3 pmccabe=3 lizard=3
            V.<static> Initializer 4-4 cognitive=3+0 nesting=2 parameters=0 exits=0
                strict=3 modified=3 radon=3 eslint=3 gocyclo=3 checkstyle=3 pmccabe=3 lizard=3
            over Function 6-6 cognitive=1+0 nesting=1 parameters=1 exits=1
                strict=3 modified=2 radon=3 eslint=3 gocyclo=3 checkstyle=3 pmccabe=3 lizard=3
            outside: strict=1
        "#]],
    );
    check(
        Language::Go,
        "package p
func f(c chan int, x any) {
	select {
	case v := <-c:
		if v > 1 { return }
	case c <- 1:
	default:
	}
	switch y := x.(type) {
	case int, string:
	case nil:
	default:
		_ = y
	}
	for range 10 { defer func() { if r := recover(); r != nil { } }() }
}
func g[K comparable, V int | string](m map[K]V, f func(K) (V, error), xs ...V) (n int, err error) { return 0, nil }
",
        &expect![[r#"
            f Function 2-16 cognitive=5+0 nesting=2 parameters=2 exits=1
                strict=7 modified=5 radon=8 eslint=7 gocyclo=8 checkstyle=8 pmccabe=7 lizard=7
            f.<anonymous@15> Closure 15-15 cognitive=3+0 nesting=1 parameters=0 exits=0
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            g Function 17-17 cognitive=0+0 nesting=0 parameters=3 exits=1
                strict=1 modified=1 radon=1 eslint=1 gocyclo=1 checkstyle=1 pmccabe=1 lizard=1
            outside: strict=1
        "#]],
    );
    check(
        Language::Java,
        "class A {
  int f(Object o) {
    return switch (o) { case Integer i when i > 1 && i < 9 -> 1; case String s -> { if (s.isEmpty()) yield 2; yield 3; } case P(int x, var y) -> 4; case null, default -> 5; };
  }
  void g() { class L { void in() { if (a) {} } } record Q(int a) { int m() { return a > 1 ? 1 : 2; } } if (u instanceof P(int a, int b) && a > 1) { } }
  Supplier<Integer> h() { return () -> a ? 1 : () -> { while (b) { } return 2; }; }
}
",
        &expect![[r#"
            A.f Method 2-4 cognitive=4+0 nesting=2 parameters=1+self exits=1
                strict=6 modified=4 radon=6 eslint=6 gocyclo=6 checkstyle=6 pmccabe=6 lizard=6
            A.g Method 5-5 cognitive=2+0 nesting=1 parameters=0+self exits=0
                strict=3 modified=3 radon=3 eslint=3 gocyclo=5 checkstyle=3 pmccabe=3 lizard=3
            A.g.L.in Method 5-5 cognitive=2+0 nesting=1 parameters=0+self exits=0
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            A.g.Q.m Method 5-5 cognitive=2+0 nesting=0 parameters=0+self exits=1
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            A.h Method 6-6 cognitive=0+0 nesting=0 parameters=0+self exits=1
                strict=1 modified=1 radon=3 eslint=1 gocyclo=3 checkstyle=3 pmccabe=1 lizard=3
            A.h.<anonymous@6> Closure 6-6 cognitive=2+0 nesting=0 parameters=0 exits=0
                strict=2 modified=2 radon=3 eslint=2 gocyclo=3 checkstyle=3 pmccabe=2 lizard=3
            A.h.<anonymous@6>.<anonymous@6> Closure 6-6 cognitive=4+0 nesting=1 parameters=0 exits=1
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            outside: strict=1
        "#]],
    );
    check(
        Language::C,
        "static inline int __attribute__((always_inline)) attr(int a) { return a && b; }
int old(a, b) int a; char *b; { if (a) return 1; return 0; }
int statement(int a) { int b = ({ int c = 0; while (c < a) c++; c; }); return a ?: b; }
void (*getf(int a, void (*cb)(int, char)))(int) { switch (a) { case 1 ... 5: if (cb) cb(1, 2); } return cb; }
int outer(int a) { int in(int b) { return b ? 1 : 2; } return in(a); }
int bare(int a) { MACRO(a) if (a && 1) { g(); } else if (a > 1) { h(); } return 0; }
",
        &expect![[r#"
            attr Function 1-1 cognitive=1+0 nesting=0 parameters=1 exits=1
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            old Function 2-2 cognitive=1+0 nesting=1 parameters=2 exits=2
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            statement Function 3-3 cognitive=2+0 nesting=1 parameters=1 exits=1
                strict=3 modified=3 radon=3 eslint=3 gocyclo=3 checkstyle=3 pmccabe=3 lizard=3
            getf Function 4-4 cognitive=3+0 nesting=2 parameters=2 exits=1
                strict=3 modified=3 radon=3 eslint=3 gocyclo=3 checkstyle=3 pmccabe=3 lizard=3
            outer Function 5-5 cognitive=0+0 nesting=0 parameters=1 exits=1
                strict=1 modified=1 radon=1 eslint=1 gocyclo=2 checkstyle=1 pmccabe=1 lizard=1
            outer::in Function 5-5 cognitive=2+0 nesting=0 parameters=1 exits=1
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            bare Function 6-6 cognitive=3+0 nesting=1 parameters=1 exits=1
                strict=4 modified=4 radon=4 eslint=4 gocyclo=4 checkstyle=4 pmccabe=4 lizard=4
            outside: strict=1
        "#]],
    );
}
