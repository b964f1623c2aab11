//! Small functions per language, with all their counts.

use expect_test::{Expect, expect};

use crate::analysis::{Function, Language, Profile, analyze, metrics};

/// One line per function: names, kind, then cyclomatic complexity in every profile.
pub(super) fn check(language: Language, text: &str, expected: &Expect) {
    let file = analyze(language, text, &|| false).expect("not cancelled");
    let mut shown = String::new();
    let by_profile = Profile::ALL.map(|profile| metrics::own(&file, profile));
    for (index, function) in file.functions.iter().enumerate() {
        let cyclomatic = Profile::ALL
            .iter()
            .zip(&by_profile)
            .map(|(profile, scores)| format!("{}={}", profile.name(), scores[index].cyclomatic))
            .collect::<Vec<_>>()
            .join(" ");
        shown += &format!("{}\n    {cyclomatic}\n", heading(function));
    }
    shown += &format!(
        "outside: strict={}\n",
        1 + Profile::Strict.weigh(language, &file.outside)
    );
    expected.assert_eq(&shown);
}

fn heading(function: &Function) -> String {
    format!(
        "{} {:?} {}-{} cognitive={}+{} nesting={} parameters={}{} exits={}",
        function.qualified_name,
        function.kind,
        function.start_line,
        function.end_line,
        function.cognitive,
        function.cognitive_recursion,
        function.max_nesting,
        function.parameters,
        if function.has_receiver { "+self" } else { "" },
        function.exits,
    )
}

#[test]
fn rust() {
    check(
        Language::Rust,
        r#"
mod m {
    impl<T: Copy> a::Shelf<T> where T: Ord {
        pub fn find(&self, wanted: u32) -> Option<&Book> {
            for book in &self.books {
                if book.id == wanted && !book.lent || book.free { return Some(book); }
                else if book.id > wanted { break; }
                else { continue }
            }
            let name = self.find(1)?;
            let Some(x) = name else { return None };
            match x { 0 => {} 1 | 2 if a => {} n => {} }
            loop { x.iter().map(|a| if *a > 1 { 1 } else { 2 }); }
        }
    }
}
fn wild(x: u32) -> bool { match x { 1 => true, _ if x > 3 => false, _ => loop { break 'a; } } }
"#,
        &expect![[r#"
            m::Shelf::find Method 4-14 cognitive=10+1 nesting=2 parameters=1+self exits=3
                strict=10 modified=8 radon=10 eslint=10 gocyclo=11 checkstyle=11 pmccabe=10 lizard=12
            m::Shelf::find::<anonymous@13> Closure 13-13 cognitive=4+0 nesting=1 parameters=1 exits=0
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            wild Function 17-17 cognitive=4+0 nesting=2 parameters=1 exits=0
                strict=3 modified=2 radon=3 eslint=3 gocyclo=3 checkstyle=3 pmccabe=3 lizard=4
            outside: strict=1
        "#]],
    );
}

#[test]
fn python() {
    check(
        Language::Python,
        r#"
class Shelf:
    def __init__(self, a, *, b=1 or 2, **kw): pass
    @property
    def size(self): return len(self.books) if self.books else 0
    @staticmethod
    def make(x): return [b for b in x if b and b.free]
    def walk(self, n):
        for x in n:
            if x: break
            elif x > 1: pass
            else: self.walk(x)
        else:
            return 1
        while n: pass
        try: assert n and n > 1
        except (A, B): raise
        else: f = lambda q: q or 1
        finally: pass
        match n:
            case 1 if n: pass
            case x: pass
            case _: pass
def decorate(f):
    def inner(*args):
        if args: return f(*args)
    return inner
if __name__ == "__main__" and True: pass
"#,
        &expect![[r#"
            Shelf.__init__ Constructor 3-3 cognitive=1+0 nesting=0 parameters=3+self exits=0
                strict=2 modified=2 radon=1 eslint=3 gocyclo=2 checkstyle=2 pmccabe=1 lizard=2
            Shelf.size Accessor 5-5 cognitive=1+0 nesting=0 parameters=0+self exits=1
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            Shelf.make Method 7-7 cognitive=1+0 nesting=0 parameters=1 exits=1
                strict=4 modified=4 radon=4 eslint=4 gocyclo=4 checkstyle=4 pmccabe=4 lizard=4
            Shelf.walk Method 8-23 cognitive=10+1 nesting=2 parameters=1+self exits=2
                strict=9 modified=8 radon=11 eslint=9 gocyclo=10 checkstyle=10 pmccabe=8 lizard=13
            Shelf.walk.<anonymous@18> Closure 18-18 cognitive=1+0 nesting=0 parameters=1 exits=0
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            decorate Function 24-27 cognitive=0+0 nesting=0 parameters=1 exits=1
                strict=1 modified=1 radon=1 eslint=1 gocyclo=2 checkstyle=1 pmccabe=1 lizard=1
            decorate.inner Function 25-26 cognitive=1+0 nesting=1 parameters=1 exits=1
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            outside: strict=3
        "#]],
    );
}

#[test]
fn javascript() {
    check(
        Language::JavaScript,
        r#"
const add = (a, b = 1) => a?.x ?? b;
Foo.prototype.run = function (x) { x ||= 1; switch (x) { case 1: case 2: return 1; default: throw 2; } };
class A extends B {
  #x = () => 1;
  constructor(a) { super(a); }
  get size() { return this.n ? 1 : 0; }
  static make() { outer: for (const a of b) { for (const c in d) { if (c && d) continue outer; } } }
  static { if (A) B(); }
}
const api = { get(x) { try { return x } catch (e) { return e } finally { } }, 'post-it': async function () { do { } while (1) } };
export default function () { return items.map(x => x > 1 || x < 0 && x) }
function Module() { var a = 1; this.go = function () { if (a) { } }; }
function* gen() { if (a) { go(function () { if (b) { } }) } else if (c) { } else { } }
"#,
        &expect![[r#"
            add Function 2-2 cognitive=0+0 nesting=0 parameters=2 exits=0
                strict=1 modified=1 radon=1 eslint=4 gocyclo=1 checkstyle=1 pmccabe=1 lizard=3
            Foo.prototype.run Function 3-3 cognitive=1+0 nesting=1 parameters=1 exits=2
                strict=3 modified=2 radon=3 eslint=4 gocyclo=3 checkstyle=3 pmccabe=3 lizard=4
            A.#x Method 5-5 cognitive=0+0 nesting=0 parameters=0 exits=0
                strict=1 modified=1 radon=1 eslint=1 gocyclo=1 checkstyle=1 pmccabe=1 lizard=1
            A.constructor Constructor 6-6 cognitive=0+0 nesting=0 parameters=1+self exits=0
                strict=1 modified=1 radon=1 eslint=1 gocyclo=1 checkstyle=1 pmccabe=1 lizard=1
            A.size Accessor 7-7 cognitive=1+0 nesting=0 parameters=0+self exits=1
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            A.make Method 8-8 cognitive=8+0 nesting=3 parameters=0 exits=0
                strict=5 modified=5 radon=5 eslint=5 gocyclo=5 checkstyle=5 pmccabe=5 lizard=5
            A.<static> Initializer 9-9 cognitive=1+0 nesting=1 parameters=0 exits=0
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            api.get Method 11-11 cognitive=1+0 nesting=1 parameters=1+self exits=2
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            api.post-it Method 11-11 cognitive=1+0 nesting=1 parameters=0 exits=0
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            default Function 12-12 cognitive=0+0 nesting=0 parameters=0 exits=1
                strict=1 modified=1 radon=3 eslint=1 gocyclo=3 checkstyle=3 pmccabe=1 lizard=1
            default.<anonymous@12> Closure 12-12 cognitive=2+0 nesting=0 parameters=1 exits=0
                strict=3 modified=3 radon=3 eslint=3 gocyclo=3 checkstyle=3 pmccabe=3 lizard=3
            Module Function 13-13 cognitive=0+0 nesting=0 parameters=0 exits=0
                strict=1 modified=1 radon=1 eslint=1 gocyclo=2 checkstyle=1 pmccabe=1 lizard=1
            Module.go Function 13-13 cognitive=1+0 nesting=1 parameters=0 exits=0
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            gen Function 14-14 cognitive=3+0 nesting=1 parameters=0 exits=0
                strict=3 modified=3 radon=4 eslint=3 gocyclo=4 checkstyle=4 pmccabe=3 lizard=3
            gen.<anonymous@14> Closure 14-14 cognitive=3+0 nesting=1 parameters=0 exits=0
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            outside: strict=1
        "#]],
    );
}

#[test]
fn typescript() {
    check(
        Language::TypeScript,
        r#"
namespace N { export abstract class S<T> { constructor(private x: number = 1, y?: string) {} abstract f(): void; over(a: number): void; over(a: any, this: S): void { this.over(a?.b?.()); } } }
function f<T extends Map<string, Set<number>>>(a: T extends string ? 1 : 2): asserts a is T { const g = <U,>(u: U): u is U => !!u && (u as any)!; }
"#,
        &expect![[r#"
            N.S.constructor Constructor 2-2 cognitive=0+0 nesting=0 parameters=2+self exits=0
                strict=1 modified=1 radon=1 eslint=2 gocyclo=1 checkstyle=1 pmccabe=1 lizard=2
            N.S.over Method 2-2 cognitive=0+1 nesting=0 parameters=1+self exits=0
                strict=1 modified=1 radon=1 eslint=3 gocyclo=1 checkstyle=1 pmccabe=1 lizard=1
            f Function 3-3 cognitive=0+0 nesting=0 parameters=1 exits=0
                strict=1 modified=1 radon=1 eslint=1 gocyclo=2 checkstyle=1 pmccabe=1 lizard=1
            f.g Function 3-3 cognitive=1+0 nesting=0 parameters=1 exits=0
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            outside: strict=1
        "#]],
    );
    check(
        Language::Tsx,
        "const View = ({ a = 1 }: P) => <div onClick={() => a ? 1 : 2}>{a && <b/>}</div>;\n",
        &expect![[r#"
            View Function 1-1 cognitive=1+0 nesting=0 parameters=1 exits=0
                strict=2 modified=2 radon=3 eslint=3 gocyclo=3 checkstyle=3 pmccabe=2 lizard=3
            View.<anonymous@1> Closure 1-1 cognitive=2+0 nesting=0 parameters=0 exits=0
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            outside: strict=1
        "#]],
    );
}

#[test]
fn go() {
    check(
        Language::Go,
        r#"package p
func (s *Shelf[T]) Find(a, b int, _ string) (int, error) {
outer:
	for i := range s.books {
		if x := i; x > 1 && x < 3 { continue outer } else if x == 2 { goto done } else { return s.Find(1, 2, "") , nil }
	}
	switch a { case 1, 2: ; default: }
	select { case <-c: ; default: }
	go func() { if a > 1 || b > 2 && a > 3 { } }()
done:
	return 0, nil
}
var handler = func(int, string) { for { } }
func external(x int) int
"#,
        &expect![[r#"
            Shelf.Find Method 2-12 cognitive=10+1 nesting=2 parameters=3+self exits=2
                strict=7 modified=7 radon=10 eslint=7 gocyclo=10 checkstyle=10 pmccabe=7 lizard=7
            Shelf.Find.<anonymous@9> Closure 9-9 cognitive=4+0 nesting=1 parameters=0 exits=0
                strict=4 modified=4 radon=4 eslint=4 gocyclo=4 checkstyle=4 pmccabe=4 lizard=4
            handler Closure 13-13 cognitive=1+0 nesting=1 parameters=2 exits=0
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            external Function 14-14 cognitive=0+0 nesting=0 parameters=1 exits=0
                strict=1 modified=1 radon=1 eslint=1 gocyclo=1 checkstyle=1 pmccabe=1 lizard=1
            outside: strict=1
        "#]],
    );
}

#[test]
fn java() {
    check(
        Language::Java,
        r#"package p;
class Shelf<T> {
  static { if (a) b(); }
  { while (a) b(); }
  int n = a ? 1 : 2;
  Shelf(int a, String... b) { this(a); }
  abstract int size();
  int find(int a) {
    for (Book b : books) { if (a > 1 && b != null) { } else if (a > 2) { } else { break; } }
    switch (a) { case 1: case 2: return 1; default: return 2; }
  }
  int find(int a, int b) { return switch (a) { case 1, 2 -> find(a); case 3 -> this.find(a, b); default -> throw new X(); }; }
  static void run() { new Thread(new Runnable() { public void run() { if (a || b) { } } }); list.map(x -> x ? 1 : 2); }
  void t() { try (A a = b()) { do { } while (a); } catch (X | Y e) { out: for (;;) { break out; } } finally { assert a && b; } }
  enum E { ONE { int f() { return 1; } }; }
  record R(int x) { R { if (x < 0) throw new X(); } }
}
"#,
        &expect![[r#"
            Shelf.<static> Initializer 3-3 cognitive=1+0 nesting=1 parameters=0 exits=0
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            Shelf.<init> Initializer 4-4 cognitive=1+0 nesting=1 parameters=0 exits=0
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            Shelf.Shelf Constructor 6-6 cognitive=0+0 nesting=0 parameters=2 exits=0
                strict=1 modified=1 radon=1 eslint=1 gocyclo=1 checkstyle=1 pmccabe=1 lizard=1
            Shelf.size Method 7-7 cognitive=0+0 nesting=0 parameters=0+self exits=0
                strict=1 modified=1 radon=1 eslint=1 gocyclo=1 checkstyle=1 pmccabe=1 lizard=1
            Shelf.find Method 8-11 cognitive=7+0 nesting=2 parameters=1+self exits=2
                strict=7 modified=6 radon=7 eslint=7 gocyclo=7 checkstyle=7 pmccabe=7 lizard=7
            Shelf.find Method 12-12 cognitive=1+1 nesting=1 parameters=2+self exits=2
                strict=3 modified=2 radon=3 eslint=3 gocyclo=3 checkstyle=3 pmccabe=3 lizard=3
            Shelf.run Method 13-13 cognitive=0+0 nesting=0 parameters=0 exits=0
                strict=1 modified=1 radon=2 eslint=1 gocyclo=4 checkstyle=2 pmccabe=1 lizard=2
            Shelf.run.<anonymous@13>.run Method 13-13 cognitive=3+0 nesting=1 parameters=0+self exits=0
                strict=3 modified=3 radon=3 eslint=3 gocyclo=3 checkstyle=3 pmccabe=3 lizard=3
            Shelf.run.<anonymous@13> Closure 13-13 cognitive=2+0 nesting=0 parameters=1 exits=0
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            Shelf.t Method 14-14 cognitive=6+0 nesting=2 parameters=0+self exits=0
                strict=5 modified=5 radon=5 eslint=5 gocyclo=5 checkstyle=5 pmccabe=4 lizard=5
            Shelf.E.ONE.f Method 15-15 cognitive=0+0 nesting=0 parameters=0+self exits=1
                strict=1 modified=1 radon=1 eslint=1 gocyclo=1 checkstyle=1 pmccabe=1 lizard=1
            Shelf.R.R Constructor 16-16 cognitive=1+0 nesting=1 parameters=0 exits=1
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            outside: strict=2
        "#]],
    );
}

#[test]
fn c() {
    check(
        Language::C,
        r#"
static int *(*table(void))[3] { return 0; }
int f(int a, char *b, ...) {
#if A && B
  if (a) { }
#else
  if (b && a) { }
#endif
#if 0
  while (a) { }
#endif
  switch (a) { case 1: case 2: break; default: goto out; }
  do { a--; } while (a > 0 || b);
  return a ? f(a, b) : 2;
out:
  for (;;) { if (a) { } else if (b) { } else { } }
}
int odd(int n) {
  switch (n) {
    case 1: a = 1; FALLTHROUGH
    case 2: a = 2;
  }
  return 1;
}
"#,
        &expect![[r#"
            table Function 2-2 cognitive=0+0 nesting=0 parameters=0 exits=1
                strict=1 modified=1 radon=1 eslint=1 gocyclo=1 checkstyle=1 pmccabe=1 lizard=1
            f Function 3-17 cognitive=14+1 nesting=2 parameters=2 exits=1
                strict=13 modified=12 radon=10 eslint=13 gocyclo=13 checkstyle=13 pmccabe=10 lizard=15
            odd Function 18-24 cognitive=1+0 nesting=1 parameters=1 exits=1
                strict=3 modified=2 radon=3 eslint=3 gocyclo=3 checkstyle=3 pmccabe=3 lizard=3
            outside: strict=1
        "#]],
    );
}

/// The first argument is the receiver in every syntax, and is not a parameter.
#[test]
fn receivers_with_a_type() {
    check(
        Language::Python,
        "class A:\n    def typed(self: 'A', x: int, /, y=1, *, z): pass\n    def any(*args: int): pass\n",
        &expect![[r#"
            A.typed Method 2-2 cognitive=0+0 nesting=0 parameters=3+self exits=0
                strict=1 modified=1 radon=1 eslint=2 gocyclo=1 checkstyle=1 pmccabe=1 lizard=1
            A.any Method 3-3 cognitive=0+0 nesting=0 parameters=1 exits=0
                strict=1 modified=1 radon=1 eslint=1 gocyclo=1 checkstyle=1 pmccabe=1 lizard=1
            outside: strict=1
        "#]],
    );
    check(
        Language::Rust,
        "impl A { fn boxed(mut self: Box<Self>, (a, b): (u32, u32)) {} fn new(it: Self) {} }\n",
        &expect![[r#"
            A::boxed Method 1-1 cognitive=0+0 nesting=0 parameters=1+self exits=0
                strict=1 modified=1 radon=1 eslint=1 gocyclo=1 checkstyle=1 pmccabe=1 lizard=1
            A::new Method 1-1 cognitive=0+0 nesting=0 parameters=1 exits=0
                strict=1 modified=1 radon=1 eslint=1 gocyclo=1 checkstyle=1 pmccabe=1 lizard=1
            outside: strict=1
        "#]],
    );
}

#[test]
fn odd_files() {
    let empty = analyze(Language::Python, "", &|| false).expect("not cancelled");
    assert_eq!((empty.lines.sloc, empty.functions.len()), (0, 0));
    check(
        Language::Python,
        "\u{feff}def f(a):\r\n    if a: return 1\r\n    # end\r\n    return 2",
        &expect![[r#"
            f Function 1-4 cognitive=1+0 nesting=1 parameters=1 exits=2
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            outside: strict=1
        "#]],
    );
    check(
        Language::JavaScript,
        "function f(a){if(a){return b?1:2}}function g(){}",
        &expect![[r#"
            f Function 1-1 cognitive=3+0 nesting=1 parameters=1 exits=1
                strict=3 modified=3 radon=3 eslint=3 gocyclo=3 checkstyle=3 pmccabe=3 lizard=3
            g Function 1-1 cognitive=0+0 nesting=0 parameters=0 exits=0
                strict=1 modified=1 radon=1 eslint=1 gocyclo=1 checkstyle=1 pmccabe=1 lizard=1
            outside: strict=1
        "#]],
    );
    check(
        Language::Rust,
        "fn f() { if a { } } fn broken( { while x { }",
        &expect![[r#"
            f Function 1-1 cognitive=1+0 nesting=1 parameters=0 exits=0
                strict=2 modified=2 radon=2 eslint=2 gocyclo=2 checkstyle=2 pmccabe=2 lizard=2
            outside: strict=2
        "#]],
    );
}
