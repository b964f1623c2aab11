//! C full of macros.

use super::{check_clean, check_symbols};
use crate::analysis::Language::C;

const CASES: &[(&str, &[&str])] = &[
    // A comment in a macro on one line.
    (
        "#define CLOSE(a) do { close(a); /* x */ } while (0)\n\nvoid f(int a)\n{\n\tif (a) b();\n}\nint g(void) { return 1; }\n",
        &["f 3-6 2/1", "g 7-7 1/0"],
    ),
    (
        "#define A /* one */ 1 /* two */ + 2 // three\nchar *f(int a)\n{\n\tif (a) return 0;\n\treturn 2;\n}\n",
        &["f 2-6 2/1"],
    ),
    (
        "#define B(x) /* y */ (x)\nfoo_t f(int a) { return a ? 1 : 2; }\nunsigned g(void) { return 1; }\n",
        &["f 2-2 2/1", "g 3-3 1/0"],
    ),
    // Between struct and its name.
    (
        "enum __attribute__((packed)) kind { K_A, K_B };\nint after(int a) { return a ? 1 : 2; }\n",
        &["after 2-2 2/1"],
    ),
    (
        "enum [[nodiscard]] color { RED, GREEN };\nstruct [[deprecated(\"x\")]] s { int a; };\nint after(int a) { return b[a] ? 1 : 2; }\n",
        &["after 3-3 2/1"],
    ),
    (
        "struct PACKED a { int b; };\nunion __declspec(align(8)) u { int c; } __attribute__((aligned(4))) v;\nstruct ALIGNED(8) w { struct PACKED x { int y; } z; };\nint after(int a) { return a ? 1 : 2; }\n",
        &["after 4-4 2/1"],
    ),
    // Attributes with arguments before the name.
    (
        "static void printflike(2, 3)\nlog_line(struct ctx *c, const char *fmt, ...)\n{\n\tif (c && fmt)\n\t\tout(c, fmt);\n}\n\nstatic int __printflike(1, 2)\nfail(const char *fmt, ...)\n{\n\treturn (fmt ? 1 : 0);\n}\nstatic int\nlast_one(int a)\n{\n\treturn (a ? 1 : 2);\n}\n",
        &["log_line 1-6 3/2", "fail 8-12 2/1", "last_one 13-17 2/1"],
    ),
    (
        "int f(int a) NORETURN;\nvoid g(const char *a, ...) PRINTF(1, 2);\nvoid h(void) __attribute__((x)) NOTHROW MACRO(3) { if (a) b(); }\nstatic int i(int a) UNUSED { return a ? 1 : 2; }\n",
        &["h 3-3 2/1", "i 4-4 2/1"],
    ),
    // Macros before and among types.
    (
        "TOY_API int (toy_depth) (toy_State *T) { return T ? 1 : 2; }\nTOY_API int toy_step (toy_State *T, int at) { return T && at; }\nint (plain)(int a) { return a ? 1 : 2; }\nstatic int (helper) (int a) { if (a) return 1; return 2; }\nAPI(int) (wrapped) (int a) { return a || 1; }\nAPI(const char *) text(int a) { return a || 1; }\n",
        &[
            "toy_depth 1-1 2/1",
            "toy_step 2-2 2/1",
            "plain 3-3 2/1",
            "helper 4-4 2/1",
            "wrapped 5-5 2/1",
            "text 6-6 2/1",
        ],
    ),
    (
        "EXPORT int a(void) { return 1; }\nstatic INLINE int b(void) { return 1; }\nINLINE static int c(void) { return 1; }\nint WINAPI d(void) { return 1; }\nstatic DWORD WINAPI e(void) { return 1; }\nstruct s *API f(void) { return 1; }\nAPI struct s *g(void) { return 1; }\nAPI const char *h(void) { return 1; }\nAPI unsigned int i(void) { return 1; }\nAPI void *(j)(int a) { return 1; }\nT1 T2 k(void) { return 1; }\n__dead void l(void) { return; }\n",
        &[
            "a 1-1 1/0",
            "b 2-2 1/0",
            "c 3-3 1/0",
            "d 4-4 1/0",
            "e 5-5 1/0",
            "f 6-6 1/0",
            "g 7-7 1/0",
            "h 8-8 1/0",
            "i 9-9 1/0",
            "j 10-10 1/0",
            "k 11-11 1/0",
            "l 12-12 1/0",
        ],
    ),
    (
        "int f(UNUSED int a, int b UNUSED, char *UNUSED(c)) { return a ? 1 : 2; }\n",
        &["f 1-1 2/1"],
    ),
    (
        "int old(a, b) int a; char *b; { if (a) return 1; return 0; }\nEXPORT int older(a) int a; { return a; }\n",
        &["old 1-1 2/1", "older 2-2 1/0"],
    ),
    (
        "static enum parse_type\nfirst(struct args *a)\n{\n\treturn (a ? 1 : 2);\n}\nenum result second(void) { return 1; }\nstruct s third(int a) { return a; }\n",
        &["first 1-5 2/1", "second 6-6 1/0", "third 7-7 1/0"],
    ),
    (
        "static int f(__unused struct client *c, __unused int d, struct args *e)\n{\n\tchar *x = va_arg(ap, char *); y(va_arg(ap, unsigned long), cast(struct s *, z), w * 2);\n\treturn x ? 1 : 2;\n}\nstatic RB_HEAD(tree, buffer) by_name;\nTAILQ_HEAD(, item) waiters;\nstruct s { redisAtomic int requests; LIST_ENTRY(s) next; TAILQ_HEAD(, e) head; };\nstatic int g(void) { return 1; }\n",
        &["f 1-5 2/1", "g 9-9 1/0"],
    ),
    // Macros with a block.
    (
        "static int lz(int a)\n{\n\tIS_BIT(len, range, code) {\n\t\tfor (i = 0; i < LOW; i++) { a++; }\n\t} else {\n\t\tIS_BIT(code, bound) { x(); } else { y(); }\n\t}\n\treturn 0;\n}\nstatic int after(int a) { return a ? 1 : 2; }\n",
        &["lz 1-9 2/1", "after 10-10 2/1"],
    ),
    (
        "int f(void)\n{\n\tTAILQ_FOREACH(a, &b, c) {\n\t\tif (a) d();\n\t}\n\tFOR(int x, y)\n\t{\n\t\te();\n\t}\n\tif (a)\n\t\tLIST_FOREACH(a, b, c) { d(); }\n\tRB_FOREACH(a, b, c) d();\n\treturn 1;\n}\nint g(void) { return 1; }\n",
        &["f 1-14 3/2", "g 15-15 1/0"],
    ),
    // Functions that a macro defines.
    (
        "Test(suite, adds) {\n    if (one()) cr_assert(1);\n}\n\nTest(suite, subs, .init = setup)\n{\n    for (;;) { if (x) break; }\n}\n\nSYSCALL_DEFINE3(read, unsigned int, fd, char *, buf) { return fd ? 1 : 2; }\nstatic int helper(int a) { return a ? 1 : 2; }\n",
        &[
            "adds 1-3 2/1",
            "subs 5-8 3/3",
            "read 10-10 2/1",
            "helper 11-11 2/1",
        ],
    ),
    // Two heads.
    (
        "#ifdef _WIN32_WCE\nstatic DWORD WINAPI loop(LPVOID p)\n#else\n#include <process.h>\nstatic unsigned int WINAPI loop(void *p)\n#endif\n{\n\twhile (p) {\n\t\tif (get(p)) break;\n\t}\n\treturn 0;\n}\nstatic int after(int a) { return a ? 1 : 2; }\n",
        &["loop 2-12 3/3", "after 13-13 2/1"],
    ),
    // C23.
    (
        "auto inferred = 3;\n_BitInt(7) small;\nunsigned _BitInt(9) other;\nconst unsigned char icon[] = {\n#embed \"icon.png\" limit(10) if_empty(0)\n};\nconstexpr int big = 1'000'000;\nint after(int a) { auto b = a; return b ? 1 : 2; }\n",
        &["after 8-8 2/1"],
    ),
];

#[test]
fn macros_do_not_hide_functions_and_make_none() {
    for (text, expected) in CASES {
        check_clean(C, text, expected);
    }
}

#[test]
fn declarations_are_listed() {
    let cases: &[(&str, &[&str])] = &[
        (
            "#define CLOSE(a) do { close(a); /* x */ } while (0)\n\ntypedef struct p { int a; } p_t;\n",
            &[
                "Macro CLOSE 1-1",
                "TypeAlias p_t 3-3",
                "Struct p 3-3",
                "Field p.a 3-3",
            ],
        ),
        (
            "enum __attribute__((packed)) kind { K_A, K_B };\nstruct PACKED s { int a; };\n",
            &[
                "Enum kind 1-1",
                "EnumMember kind.K_A 1-1",
                "EnumMember kind.K_B 1-1",
                "Struct s 2-2",
                "Field s.a 2-2",
            ],
        ),
        (
            "TOY_API toy_State *(toy_new) (toy_Alloc fn, void *data);\nTOY_API void       (toy_free) (toy_State *T);\nextern int plain(int);\nextern API int shared;\nint aligned ALIGNED(4);\n",
            &[
                "Function toy_new 1-1",
                "Function toy_free 2-2",
                "Function plain 3-3",
                "Variable shared 4-4",
                "Variable aligned 5-5",
            ],
        ),
        (
            "auto inferred = 3;\n_BitInt(7) small;\nconst unsigned char icon[] = {\n#embed \"icon.png\"\n};\n",
            &[
                "Variable inferred 1-1",
                "Variable small 2-2",
                "Variable icon 3-5",
            ],
        ),
    ];
    for (text, expected) in cases {
        check_symbols(C, text, expected);
    }
}

#[test]
fn macros_around_an_error_make_no_functions() {
    super::check_functions(
        C,
        "int f(void)\n{\n\tIF_DEBUG(k())\n\tSWITCH(x) { CASE(1): l(); }\n\treturn a ? 1 : 2;\n}\nint g(void) { return 1; }\n",
        &["f 1-6 2/1", "g 7-7 1/0"],
    );
}
