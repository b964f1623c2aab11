//! The examples of the white paper (Campbell, "Cognitive Complexity", SonarSource 2018), with its numbers.

use crate::analysis::{Language, Profile, analyze, metrics};

/// The value of the outermost function, including everything nested.
fn total(language: Language, text: &str) -> u32 {
    let file = analyze(language, text, &|| false).expect("not cancelled");
    metrics::totals(&file, Profile::Strict)[0].cognitive
}

#[test]
fn sum_of_primes_is_7() {
    let text = "class A { int sumOfPrimes(int max) { int total = 0; OUT: for (int i = 1; i <= max; ++i) {
        for (int j = 2; j < i; ++j) { if (i % j == 0) { continue OUT; } } total += i; } return total; } }";
    assert_eq!(total(Language::Java, text), 7);
}

#[test]
fn get_words_is_1() {
    let text = "class A { String getWords(int number) { switch (number) { case 1: return \"one\"; case 2: return \"a couple\";
        case 3: return \"a few\"; default: return \"lots\"; } } }";
    assert_eq!(total(Language::Java, text), 1);
}

#[test]
fn nesting_in_try_and_catch_is_9() {
    let text = "class A { void myMethod() { try { if (condition1) { for (int i = 0; i < 10; i++) { while (condition2) { } } } }
        catch (ExcepType1 | ExcepType2 e) { if (condition2) { } } } }";
    assert_eq!(total(Language::Java, text), 9);
}

#[test]
fn a_condition_in_a_lambda_is_2() {
    let text = "class A { void myMethod2() { Runnable r = () -> { if (condition1) { } }; } }";
    assert_eq!(total(Language::Java, text), 2);
}

#[test]
fn runs_of_boolean_operators() {
    let of = |condition: &str| {
        total(
            Language::Java,
            &format!("class A {{ void f() {{ if ({condition}) {{ }} }} }}"),
        )
    };
    assert_eq!(of("a"), 1);
    assert_eq!(of("a && b && c && d"), 2);
    assert_eq!(of("a && b && c || d || e && f"), 4);
    assert_eq!(of("a && !(b && c)"), 3);
    assert_eq!(of("a && (b && c)"), 2);
}

#[test]
fn overridden_method_is_19() {
    let text = "class A { private MethodJavaSymbol overriddenSymbolFrom(ClassJavaType classType) {
        if (classType.isUnknown()) { return Symbols.unknownMethodSymbol; }
        boolean unknownFound = false;
        List<JavaSymbol> symbols = classType.getSymbol().members().lookup(name);
        for (JavaSymbol overrideSymbol : symbols) {
            if (overrideSymbol.isKind(JavaSymbol.MTH) && !overrideSymbol.isStatic()) {
                MethodJavaSymbol methodJavaSymbol = (MethodJavaSymbol) overrideSymbol;
                if (canOverride(methodJavaSymbol)) {
                    Boolean overriding = checkOverridingParameters(methodJavaSymbol, classType);
                    if (overriding == null) { if (!unknownFound) { unknownFound = true; } }
                    else if (overriding) { return methodJavaSymbol; }
                }
            }
        }
        if (unknownFound) { return Symbols.unknownMethodSymbol; }
        return null; } }";
    assert_eq!(total(Language::Java, text), 19);
}

#[test]
fn functions_in_the_place_of_a_class_are_free() {
    let declarative = "function outer() { var foo; bar.myFun = function (a) { if (a) { } } }";
    assert_eq!(total(Language::JavaScript, declarative), 1);
    let not = "function outer() { var foo; if (a) { } bar.myFun = function (a) { if (a) { } } }";
    assert_eq!(total(Language::JavaScript, not), 3);
}

#[test]
fn a_decorator_is_free() {
    let decorator = "def a_decorator(a, b):\n    def inner(func):\n        if condition:\n            print(b)\n        func()\n    return inner\n";
    assert_eq!(total(Language::Python, decorator), 1);
    let not = "def not_a_decorator(a, b):\n    my_var = a*b\n    def inner(func):\n        if condition:\n            print(b)\n        func()\n    return inner\n";
    assert_eq!(total(Language::Python, not), 2);
}

#[test]
fn else_if_chains_do_not_nest() {
    let languages = [
        (
            Language::C,
            "int f() { if (a) { } else if (b) { } else { if (c) { } } }",
        ),
        (
            Language::Go,
            "package p\nfunc f() { if a { } else if b { } else { if c { } } }",
        ),
        (
            Language::Java,
            "class A { void f() { if (a) { } else if (b) { } else { if (c) { } } } }",
        ),
        (
            Language::JavaScript,
            "function f() { if (a) { } else if (b) { } else { if (c) { } } }",
        ),
        (
            Language::Python,
            "def f():\n if a: pass\n elif b: pass\n else:\n  if c: pass\n",
        ),
        (
            Language::Rust,
            "fn f() { if a { } else if b { } else { if c { } } }",
        ),
        (
            Language::Tsx,
            "function f() { if (a) { } else if (b) { } else { if (c) { } } }",
        ),
    ];
    for (language, text) in languages {
        assert_eq!(total(language, text), 5, "{}", language.name());
    }
}

#[test]
fn a_call_of_an_overload_in_java_is_no_recursion() {
    let recursion = |method: &str| {
        let text = format!("class C {{ {method} }}");
        let file = analyze(Language::Java, &text, &|| false).expect("not cancelled");
        file.functions[0].cognitive_recursion
    };
    for overload in [
        "int remove(Object[] a, int i) { return remove((Object) a, i); }",
        "int f(int[] a) { return f((Object) a); }",
        "int f(String s) { return f((Object) s); }",
        "int f(Object a[]) { return this.f(new Foo()); }",
        "int f(boolean b) { return f(1); }",
        "int f(String s) { return f('c'); }",
        "int f(int n) { return f(\"1\"); }",
        "int f(long[] a, int n) { return f(true, n); }",
        "int f(int n) { return f(n, 1); }",
        // A method of another object, even one of the same type.
        "C pow(int n) { return this.mul().pow(n - 1); }",
    ] {
        assert_eq!(recursion(overload), 0, "{overload}");
    }
    for itself in [
        "int f(int n) { return f(n - 1); }",
        "int f(long n) { return f(1); }",
        "int f(Object o) { return f((String) o); }",
        "int f(Object o) { return f(new int[3]); }",
        "int f(CharSequence s) { return f(\"x\"); }",
        "<T> int f(T t) { return f((Object) t); }",
        "int f(int... all) { return f(1); }",
        "int f(Integer n) { return this.f((int) n); }",
        "int f(int n) { return f((Integer) n); }",
        "int f(Foo a) { return f((Bar) a); }",
    ] {
        assert_eq!(recursion(itself), 1, "{itself}");
    }
}
