use expect_test::{Expect, expect};

use crate::analysis::{Language, Visibility, analyze};

#[track_caller]
fn check(language: Language, text: &str, expected: Expect) {
    let analysis = analyze(language, text, &|| false).expect("nobody cancels");
    let mut shown = String::new();
    for symbol in &analysis.symbols {
        let mark = match symbol.visibility {
            Visibility::Public => '+',
            Visibility::Restricted => '~',
            Visibility::Private => '-',
        };
        let parent = symbol
            .parent
            .map(|at| analysis.symbols[at as usize].name.as_str());
        shown.push_str(&format!(
            "{}-{} {mark}{:?} {} <{}> `{}`",
            symbol.start_line,
            symbol.end_line,
            symbol.kind,
            symbol.qualified_name,
            parent.unwrap_or_default(),
            symbol.signature,
        ));
        if let Some(doc) = &symbol.doc {
            shown.push_str(&format!(" {doc:?}"));
        }
        shown.push('\n');
    }
    expected.assert_eq(&shown);
}

#[test]
fn rust() {
    check(
        Language::Rust,
        r#"
/// Greets.
///
/// Twice.
#[derive(Debug)]
pub struct Greeter<T> {
    /// Who.
    pub name: T, // not this
    count: u32,
}
impl<T: Clone> Greeter<T> {
    const LIMIT: u32 = 3;
    pub(crate) fn greet(
        &self, // it
        loud: bool,
    ) -> String where T: Copy { fn nested() {} String::new() }
}
impl<T> fmt::Display for Greeter<T> { fn fmt(&self) {} }
pub enum Kind { A, B { x: u8 } }
pub trait Speak { type Out; fn say(&self); }
mod inner {
    //! Inside.
    static ONE: u8 = 1;
}
pub type Alias = u8;
macro_rules! m { () => {}; }
fn broken( { }
fn after() {}
"#,
        expect![[r#"
            6-10 +Struct Greeter <> `pub struct Greeter<T>` "Greets.\n\nTwice."
            8-8 +Field Greeter::name <Greeter> `pub name: T` "Who."
            9-9 -Field Greeter::count <Greeter> `count: u32`
            11-17 -Impl Greeter <> `impl<T: Clone> Greeter<T>`
            12-12 -Constant Greeter::LIMIT <Greeter> `const LIMIT: u32`
            13-16 ~Method Greeter::greet <Greeter> `pub(crate) fn greet(&self, loud: bool) -> String where T: Copy`
            16-16 -Function Greeter::greet::nested <greet> `fn nested()`
            18-18 +Impl Greeter <> `impl<T> fmt::Display for Greeter<T>`
            18-18 +Method Greeter::fmt <Greeter> `fn fmt(&self)`
            19-19 +Enum Kind <> `pub enum Kind`
            19-19 +EnumMember Kind::A <Kind> `A`
            19-19 +EnumMember Kind::B <Kind> `B`
            19-19 +Field Kind::B::x <B> `x: u8`
            20-20 +Trait Speak <> `pub trait Speak`
            20-20 +TypeAlias Speak::Out <Speak> `type Out`
            20-20 +Method Speak::say <Speak> `fn say(&self)`
            21-24 -Module inner <> `mod inner` "Inside."
            23-23 -Variable inner::ONE <inner> `static ONE: u8`
            25-25 +TypeAlias Alias <> `pub type Alias = u8`
            26-26 ~Macro m <> `macro_rules! m`
            27-27 -Function broken <> `fn broken(`
            28-28 -Function after <> `fn after()`
        "#]],
    );
}

#[test]
fn python() {
    check(
        Language::Python,
        r#"
LIMIT = 3
LIMIT = 4
names, _other = [], 1
class Greeter(Base, metaclass=M):
    """Greets.

    Twice.
    """
    count: int = 0
    def __init__(self, name): self.name = name
    @property
    def loud(self) -> bool:
        'Is it?'
        local = 1
    @classmethod
    async def make(cls, *, a=1, **kw): ...
    def _hidden(self): pass
class Color(enum.Enum):
    RED = 1
if True:
    def conditional(): pass
type Alias = int
"#,
        expect![[r#"
            2-2 +Constant LIMIT <> `LIMIT = 3`
            4-4 +Variable names <> `names, _other = [], 1`
            4-4 -Variable _other <> `names, _other = [], 1`
            5-18 +Class Greeter <> `class Greeter(Base, metaclass=M)` "Greets.\n\nTwice."
            10-10 +Field Greeter.count <Greeter> `count: int = 0`
            11-11 +Constructor Greeter.__init__ <Greeter> `def __init__(self, name)`
            13-15 +Property Greeter.loud <Greeter> `def loud(self) -> bool` "Is it?"
            17-17 +Method Greeter.make <Greeter> `async def make(cls, *, a=1, **kw)`
            18-18 -Method Greeter._hidden <Greeter> `def _hidden(self)`
            19-20 +Class Color <> `class Color(enum.Enum)`
            20-20 +EnumMember Color.RED <Color> `RED = 1`
            22-22 +Function conditional <> `def conditional()`
            23-23 +TypeAlias Alias <> `type Alias = int`
        "#]],
    );
}

#[test]
fn typescript() {
    check(
        Language::TypeScript,
        r#"
/** Greets. */
@decorated
export abstract class Greeter<T> extends Base implements I {
  private name: string = 'x';
  static #count = 0;
  constructor(private readonly a: number) { super(); }
  /** Aloud. */
  protected greet(loud = true): string { const local = 1; function nested() {} return ''; }
  get size() { return 1; }
  handler = async (e: Event) => { };
  abstract later(): void;
}
export interface Shape { area: number; scale(by: number): Shape }
export enum Color { Red, Green = 'g' }
export type Id = string | number;
namespace N { export const inside = 1; }
export const arrow = (x: number): number => x + 1;
const kept = { a: 1 }, [first] = list;
function hidden(): void {}
function overload(a: string): void;
export { hidden };
export default function () {}
declare module "m" { export function inModule(): void; }
"#,
        expect![[r#"
            4-13 +Class Greeter <> `export abstract class Greeter<T> extends Base implements I` "Greets."
            5-5 -Field Greeter.name <Greeter> `private name: string`
            6-6 -Field Greeter.#count <Greeter> `static #count`
            7-7 +Constructor Greeter.constructor <Greeter> `constructor(private readonly a: number)`
            7-7 -Field Greeter.a <Greeter> `private readonly a: number`
            9-9 ~Method Greeter.greet <Greeter> `protected greet(loud = true): string` "Aloud."
            9-9 -Function Greeter.greet.nested <greet> `function nested()`
            10-10 +Property Greeter.size <Greeter> `get size()`
            11-11 +Method Greeter.handler <Greeter> `handler = async (e: Event)`
            12-12 +Method Greeter.later <Greeter> `abstract later(): void`
            14-14 +Interface Shape <> `export interface Shape`
            14-14 +Field Shape.area <Shape> `area: number`
            14-14 +Method Shape.scale <Shape> `scale(by: number): Shape`
            15-15 +Enum Color <> `export enum Color`
            15-15 +EnumMember Color.Red <Color> `Red`
            15-15 +EnumMember Color.Green <Color> `Green = 'g'`
            16-16 +TypeAlias Id <> `export type Id = string | number`
            17-17 -Namespace N <> `namespace N`
            17-17 +Constant N.inside <N> `inside`
            18-18 +Function arrow <> `export const arrow = (x: number): number`
            19-19 -Constant kept <> `const kept`
            19-19 -Constant first <> `[first]`
            20-20 +Function hidden <> `function hidden(): void`
            21-21 -Function overload <> `function overload(a: string): void`
            23-23 +Function default <> `export default function ()`
            24-24 -Namespace m <> `declare module "m"`
            24-24 +Function m.inModule <m> `function inModule(): void`
        "#]],
    );
}

#[test]
fn javascript() {
    check(
        Language::JavaScript,
        "function a() {}\nconst b = function* () {};\nvar c = class { m() {} static x = 1 };\nmodule.exports = { a, z: b };\n",
        expect![[r#"
            1-1 +Function a <> `function a()`
            2-2 +Function b <> `const b = function* ()`
            3-3 -Class c <> `var c = class`
            3-3 +Method c.m <c> `m()`
            3-3 +Field c.x <c> `static x`
        "#]],
    );
}

#[test]
fn go() {
    check(
        Language::Go,
        r#"package a

// Greet greets.
func (g *Greeter[T]) Greet(loud bool) (string, error) { const local = 1; return "", nil }

// Greeter is one.
type Greeter[T any] struct {
	// Name is who.
	Name, nick string
	*Base
}

type Speaker interface { Say(word string) }
type ID = int
type Fn func(int) error

const (
	// A is first.
	A = iota
	b
)

var x, Y int

func hidden() {}
"#,
        expect![[r#"
            4-4 +Method Greeter.Greet <Greeter> `func (g *Greeter[T]) Greet(loud bool) (string, error)` "Greet greets."
            7-11 +Struct Greeter <> `type Greeter[T any] struct` "Greeter is one."
            9-9 +Field Greeter.Name <Greeter> `Name, nick string` "Name is who."
            9-9 -Field Greeter.nick <Greeter> `Name, nick string` "Name is who."
            10-10 +Field Greeter.Base <Greeter> `*Base`
            13-13 +Interface Speaker <> `type Speaker interface`
            13-13 +Method Speaker.Say <Speaker> `Say(word string)`
            14-14 +TypeAlias ID <> `type ID = int`
            15-15 +TypeAlias Fn <> `type Fn func(int) error`
            19-19 +Constant A <> `A` "A is first."
            20-20 -Constant b <> `b`
            23-23 -Variable x <> `var x, Y int`
            23-23 +Variable Y <> `var x, Y int`
            25-25 -Function hidden <> `func hidden()`
        "#]],
    );
}

#[test]
fn java() {
    check(
        Language::Java,
        r#"package a;
/** Greets. */
@Deprecated
public final class Greeter<T> extends Base {
  public static final int LIMIT = 3;
  private String name, nick = "x";
  protected Greeter(String name) { }
  /**
   * Aloud.
   * @param loud how
   */
  String greet(boolean loud) throws IOException { return ""; }
  enum Kind { A, B { void x() {} } }
  interface Speak { void say(); int N = 1; }
  record Point(int x, int y) { Point { } }
  @interface Mark { String value() default ""; }
}
"#,
        expect![[r#"
            3-17 +Class Greeter <> `@Deprecated public final class Greeter<T> extends Base` "Greets."
            5-5 +Constant Greeter.LIMIT <Greeter> `public static final int LIMIT`
            6-6 -Field Greeter.name <Greeter> `private String name, nick = "x"`
            6-6 -Field Greeter.nick <Greeter> `private String name, nick`
            7-7 ~Constructor Greeter.Greeter <Greeter> `protected Greeter(String name)`
            12-12 ~Method Greeter.greet <Greeter> `String greet(boolean loud) throws IOException` "Aloud.\n@param loud how"
            13-13 ~Enum Greeter.Kind <Greeter> `enum Kind`
            13-13 ~EnumMember Greeter.Kind.A <Kind> `A`
            13-13 ~EnumMember Greeter.Kind.B <Kind> `B`
            13-13 ~Method Greeter.Kind.B.x <B> `void x()`
            14-14 ~Interface Greeter.Speak <Greeter> `interface Speak`
            14-14 ~Method Greeter.Speak.say <Speak> `void say()`
            14-14 ~Constant Greeter.Speak.N <Speak> `int N`
            15-15 ~Class Greeter.Point <Greeter> `record Point(int x, int y)`
            15-15 -Field Greeter.Point.x <Point> `int x`
            15-15 -Field Greeter.Point.y <Point> `int y`
            15-15 ~Constructor Greeter.Point.Point <Point> `Point`
            16-16 ~Interface Greeter.Mark <Greeter> `@interface Mark`
            16-16 ~Method Greeter.Mark.value <Mark> `String value() default ""`
        "#]],
    );
}

#[test]
fn c() {
    check(
        Language::C,
        r#"#define LIMIT 3
#define MAX(a, b) ((a) > (b))
/* Greets. */
static int greet(const char *name, int loud) { int local = 1; return local; }
extern int proto(void);
struct greeter { char *name; int (*say)(int); unsigned bit : 1; };
typedef struct { int x, y[3]; } point;
typedef unsigned long id_t, *id_p;
enum color { RED, GREEN = 2 };
union value { int i; float f; };
int global = 1, *other;
int (*callback)(void);
"#,
        expect![[r#"
            1-1 +Macro LIMIT <> `#define LIMIT`
            2-2 +Macro MAX <> `#define MAX(a, b)`
            4-4 -Function greet <> `static int greet(const char *name, int loud)` "Greets."
            5-5 +Function proto <> `extern int proto(void)`
            6-6 +Struct greeter <> `struct greeter`
            6-6 +Field greeter.name <greeter> `char *name`
            6-6 +Field greeter.say <greeter> `int (*say)(int)`
            6-6 +Field greeter.bit <greeter> `unsigned bit : 1`
            7-7 +Struct point <> `typedef struct`
            7-7 +Field point.x <point> `int x, y[3]`
            7-7 +Field point.y <point> `int x, y[3]`
            8-8 +TypeAlias id_t <> `typedef unsigned long id_t, *id_p`
            8-8 +TypeAlias id_p <> `typedef unsigned long id_t, *id_p`
            9-9 +Enum color <> `enum color`
            9-9 +EnumMember color.RED <color> `RED`
            9-9 +EnumMember color.GREEN <color> `GREEN`
            10-10 +Union value <> `union value`
            10-10 +Field value.i <value> `int i`
            10-10 +Field value.f <value> `float f`
            11-11 +Variable global <> `int global`
            11-11 +Variable other <> `int global = 1, *other`
            12-12 +Variable callback <> `int (*callback)(void)`
        "#]],
    );
}
