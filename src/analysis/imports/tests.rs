use expect_test::{Expect, expect};

use crate::analysis::{Language, analyze};

#[track_caller]
fn check(language: Language, text: &str, expected: Expect) {
    let analysis = analyze(language, text, &|| false).expect("nobody cancels");
    let mut shown = String::new();
    if let Some(package) = &analysis.package {
        shown.push_str(&format!("package {package}\n"));
    }
    for import in &analysis.imports {
        shown.push_str(&format!(
            "{} {:?} {} {:?}",
            import.line, import.kind, import.specifier, import.names
        ));
        for (flag, is_set) in [
            ("type", import.type_only),
            ("conditional", import.conditional),
        ] {
            if is_set {
                shown.push_str(&format!(" {flag}"));
            }
        }
        if !import.scope.is_empty() {
            shown.push_str(&format!(" in {}", import.scope));
        }
        if !import.used.is_empty() {
            shown.push_str(&format!(" used {:?}", import.used));
        }
        shown.push('\n');
    }
    let exports: Vec<String> = analysis
        .exports
        .iter()
        .map(|export| match &export.from {
            Some(from) => format!("{}<{from}", export.name),
            None => export.name.clone(),
        })
        .collect();
    shown.push_str(&format!("offers {}\n", exports.join(" ")));
    expected.assert_eq(&shown);
}

#[test]
fn rust() {
    check(
        Language::Rust,
        r#"
use std::{fmt, io::{self, Read as R}};
pub use crate::a::*;
extern crate foo as bar;
#[cfg(test)]
#[path = "x/y.rs"]
mod tests;
#[cfg_attr(unix, path = "unix.rs")]
pub mod sys;
mod inner {
    use super::*;
    fn f() { use a::b; }
}
cfg_if! { if #[cfg(unix)] { mod unix; use self::unix::c; } }
include!("gen.rs");
pub fn open() {}
fn hidden() {}
"#,
        expect![[r#"
            2 Import std::fmt ["fmt"]
            2 Import std::io ["io"]
            2 Import std::io::Read ["R"]
            3 Reexport crate::a ["*"]
            4 ExternCrate foo ["bar"]
            7 Module x/y.rs ["tests", "x/y.rs"] conditional
            9 Module sys ["sys", "unix.rs"] conditional
            11 Import super ["*"] in inner
            12 Import a::b ["b"] conditional in inner
            14 Module unix ["unix"] conditional
            14 Import self::unix::c ["c"] conditional
            15 IncludeLocal gen.rs []
            offers *<crate::a sys open
        "#]],
    );
}

#[test]
fn python() {
    check(
        Language::Python,
        r#"
from __future__ import annotations
import os, a.b as c
from . import x
from ..pkg.mod import (y as z, w)
from q import *
if TYPE_CHECKING:
    from t import T
else:
    T = None
try:
    import fast
except ImportError:
    fast = None
def f():
    import lazy
class K: pass
_hidden = 1
"#,
        expect![[r#"
            2 From __future__ ["annotations"]
            3 Import os []
            3 Import a.b []
            4 From . ["x"]
            5 From ..pkg.mod ["y", "w"]
            6 From q ["*"]
            8 From t ["T"] type conditional
            12 Import fast [] conditional
            16 Import lazy [] conditional
            offers T fast f K
        "#]],
    );
    check(
        Language::Python,
        "__all__ = ['a', \"b\"] + ['c']\n__all__ += ('d',)\ndef e(): pass\n",
        expect![[r#"
            offers a b c d
        "#]],
    );
}

#[test]
fn typescript() {
    check(
        Language::TypeScript,
        r#"/// <reference path="lib.d.ts" />
import d, * as n from 'a';
import { x, type T, y as z } from "./b";
import type { U } from './c';
import { type V } from './v';
import './effects';
import fs = require('fs');
export { p, q as r } from './d';
export * from './e';
export * as ns from './f';
export type { W } from './g';
const lazy = () => import('./h');
const e = import(`./i`), g = import(name);
type X = import('./types').Y;
export const one = 1, { two, three: [four] } = o;
export default class {}
export function fn() {}
export interface I {}
"#,
        expect![[r#"
            1 Import ./lib.d.ts [] type
            2 Import a ["default", "*"]
            3 Import ./b ["x", "T", "y"]
            4 Import ./c ["U"] type
            5 Import ./v ["V"] type
            6 Import ./effects []
            7 Require fs ["*"]
            8 Reexport ./d ["p", "q"]
            9 Reexport ./e ["*"]
            10 Reexport ./f ["*"]
            11 Reexport ./g ["W"] type
            12 Dynamic ./h [] conditional
            13 Dynamic ./i []
            14 Dynamic ./types []
            offers p<./d r<./d *<./e ns<./f W<./g one four two default fn I
        "#]],
    );
}

#[test]
fn javascript() {
    check(
        Language::JavaScript,
        r"
const a = require('./a'), { b } = require('b').c;
if (x) require('./c');
require(name); other.require('./no');
exports.one = 1;
module.exports.two = 2;
module.exports = { three, four: 4, five() {} };
",
        expect![[r#"
            2 Require ./a []
            2 Require b []
            3 Require ./c [] conditional
            offers one two three four five
        "#]],
    );
}

#[test]
fn go() {
    check(
        Language::Go,
        r#"//go:build linux

package main

import "fmt"
import (
	_ "embed"
	. "math"
	y "gopkg.in/yaml.v3"
	"example.com/a/go-b/v2"
)

type Open struct{ y.Node }

const Max, min = 1, 2

func main() { fmt.Println(b.New(), fmt.Sprint()); var hidden int }
"#,
        expect![[r#"
            package main
            5 Import fmt [] conditional used ["Println", "Sprint"]
            7 Import embed ["_"] conditional
            8 Import math ["."] conditional
            9 Import gopkg.in/yaml.v3 ["y"] conditional used ["Node"]
            10 Import example.com/a/go-b/v2 [] conditional used ["New"]
            offers Open Max
        "#]],
    );
}

#[test]
fn java() {
    check(
        Language::Java,
        r"package a.b;
import java.util.List;
import static a.c.D.e;
import a.f.*;
import static a.g.H.*;
public class K { List<F> x = G.y(); }
class Hidden {}
",
        expect![[r#"
            package a.b
            2 Import java.util.List ["List"]
            3 Static a.c.D.e ["e"]
            4 Import a.f ["*"] used ["F", "G", "H", "Hidden", "K", "List"]
            5 Static a.g.H ["*"] used ["F", "G", "H", "Hidden", "K", "List"]
            offers K
        "#]],
    );
}

#[test]
fn c() {
    check(
        Language::C,
        r#"#ifndef A_H
#define A_H
#include <stdio.h>
#include "b/c.h"
#ifdef WIN
#include <windows.h>
#endif
#include CONFIG_H
int open(int a);
static int hidden(void) { return 0; }
int *made(void) { return 0; }
void late(int a) { MACRO(a) if (a) { } }
int variable;
#endif
"#,
        expect![[r#"
            3 IncludeSystem stdio.h []
            4 IncludeLocal b/c.h []
            6 IncludeSystem windows.h [] conditional
            8 IncludeLocal CONFIG_H ["<macro>"]
            offers open made late
        "#]],
    );
}

#[test]
fn deep_nesting_is_read() {
    let deep = 10_000;
    for (language, open, close) in [
        (Language::Rust, "mod m { use a::b; ", "}"),
        (Language::JavaScript, "function f() { require('a'); ", "}"),
        (Language::Java, "class A { ", "}"),
    ] {
        let text = format!("{}{}", open.repeat(deep), close.repeat(deep));
        let analysis = analyze(language, &text, &|| false).expect("nobody cancels");
        assert!(analysis.symbols.len() >= deep, "{language:?}");
        let names: usize = analysis
            .symbols
            .iter()
            .map(|symbol| symbol.qualified_name.len())
            .sum();
        assert!(names < deep * 1024);
    }
}

#[test]
fn directives_of_a_java_module() {
    check(
        Language::Java,
        "
module a.b {
    requires java.base;
    requires transitive c.d;
    exports a.b.api;
    exports a.b.internal to c.d;
    opens a.b.api;
    opens a.b.model to e.f;
    uses a.b.api.Service;
    provides a.b.api.Service with a.b.model.Impl;
}
",
        expect![[r#"
            3 Import java.base ["base"]
            4 Import c.d ["d"]
            offers a.b.api a.b.internal a.b.model a.b.api.Service
        "#]],
    );
}
