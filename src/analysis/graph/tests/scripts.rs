//! JavaScript and TypeScript, as the compiler, Node and Deno resolve.

use super::told::told;

#[test]
fn config_dir_is_that_of_the_extending_configuration() {
    let base = r#"{"compilerOptions": {"paths": {"~/*": ["${configDir}/src/*"]}, "rootDirs": ["${configDir}/a", "${configDir}/b"]}}"#;
    told(
        &[
            ("packages/base/tsconfig.json", base),
            ("packages/base/src/util.ts", ""),
            (
                "packages/app/tsconfig.json",
                r#"{"extends": "../base/tsconfig.json"}"#,
            ),
            ("packages/app/src/main.ts", "import '~/util';"),
            ("packages/app/src/util.ts", ""),
            ("packages/app/a/x.ts", "import './y';"),
            ("packages/app/b/y.ts", ""),
        ],
        &[
            ("packages/app/src/main.ts", &["-> packages/app/src/util.ts"]),
            ("packages/app/a/x.ts", &["-> packages/app/b/y.ts"]),
        ],
    );
}

#[test]
fn paths_start_at_the_base_url_also_at_an_inherited_one() {
    told(
        &[
            ("base.json", r#"{"compilerOptions": {"baseUrl": "./lib"}}"#),
            (
                "tsconfig.json",
                r#"{"extends": "./base.json", "compilerOptions": {"paths": {"x": ["x"]}}}"#,
            ),
            ("a.ts", "import 'x'; import 'y';"),
            ("x.ts", ""),
            ("lib/x.ts", ""),
            ("lib/y.ts", ""),
        ],
        &[("a.ts", &["-> lib/x.ts", "-> lib/y.ts"])],
    );
}

#[test]
fn a_package_may_be_extended() {
    let root = r#"{"name": "root", "private": true, "workspaces": ["packages/*", "apps/*"]}"#;
    let base = r#"{"compilerOptions": {"paths": {"@lib/*": ["../../libs/*/src/index.ts"]}}}"#;
    for extends in ["@acme/tsconfig/base.json", "@acme/tsconfig/base"] {
        told(
            &[
                ("package.json", root),
                (
                    "packages/tsconfig/package.json",
                    r#"{"name": "@acme/tsconfig"}"#,
                ),
                ("packages/tsconfig/base.json", base),
                (
                    "apps/web/tsconfig.json",
                    &format!("{{\"extends\": \"{extends}\"}}"),
                ),
                ("apps/web/src/a.ts", "import { m } from '@lib/money';"),
                ("libs/money/src/index.ts", ""),
            ],
            &[("apps/web/src/a.ts", &["-> libs/money/src/index.ts"])],
        );
    }
    told(
        &[
            (
                "node_modules/@x/base/tsconfig.json",
                r#"{"compilerOptions": {"paths": {"m": ["../../../m.ts"]}}}"#,
            ),
            ("app/tsconfig.json", r#"{"extends": ["@x/base"]}"#),
            ("app/a.ts", "import 'm';"),
            ("m.ts", ""),
        ],
        &[("app/a.ts", &["-> m.ts"])],
    );
}

#[test]
fn the_nearest_configuration_applies() {
    told(
        &[
            (
                "tsconfig.json",
                r#"{"compilerOptions": {"paths": {"shared": ["./src/shared.ts"]}}}"#,
            ),
            (
                "packages/p/package.json",
                r#"{"name": "p", "dependencies": {"shared": "^2"}}"#,
            ),
            (
                "packages/p/tsconfig.json",
                r#"{"compilerOptions": {"module": "esnext"}}"#,
            ),
            ("packages/p/src/q.ts", "import 'shared';"),
            ("src/b.ts", "import 'shared';"),
            ("src/shared.ts", ""),
        ],
        &[
            ("packages/p/src/q.ts", &["package shared"]),
            ("src/b.ts", &["-> src/shared.ts"]),
        ],
    );
}

#[test]
fn a_file_belongs_to_the_project_that_includes_it() {
    told(
        &[
            (
                "tsconfig.json",
                r#"{"files": [], "references": [{"path": "./tsconfig.app.json"}, {"path": "./tsconfig.node.json"}]}"#,
            ),
            (
                "tsconfig.app.json",
                r#"{"compilerOptions": {"paths": {"@/*": ["./src/*"]}}, "include": ["src"]}"#,
            ),
            (
                "tsconfig.node.json",
                r#"{"compilerOptions": {"paths": {"@/*": ["./config/*"]}}, "include": ["vite.config.ts"]}"#,
            ),
            ("vite.config.ts", "import '@/b';"),
            ("config/b.ts", ""),
            ("src/a.ts", "import '@/b';"),
            ("src/b.ts", ""),
        ],
        &[
            ("vite.config.ts", &["-> config/b.ts"]),
            ("src/a.ts", &["-> src/b.ts"]),
        ],
    );
    // An excluded file belongs to the other configuration in the folder.
    told(
        &[
            (
                "tsconfig.json",
                r#"{"compilerOptions": {"paths": {"@/*": ["./src/*"]}}, "exclude": ["**/*.test.ts"]}"#,
            ),
            (
                "tsconfig.test.json",
                r#"{"compilerOptions": {"paths": {"@/*": ["./test/*"]}}, "include": ["**/*.test.ts"]}"#,
            ),
            ("src/a.test.ts", "import '@/b';"),
            ("src/b.ts", "import '@/b';\nimport '@/c';"),
            ("src/c.ts", ""),
            ("test/b.ts", ""),
        ],
        &[
            ("src/a.test.ts", &["-> test/b.ts"]),
            ("src/b.ts", &["-> src/c.ts"]),
        ],
    );
}

#[test]
fn conditions_of_exports_are_tried_as_written() {
    let exports = r#"{"name": "@o/a", "exports": {
        ".": {"node": "./src/node.ts", "browser": "./src/browser.ts", "default": "./src/default.ts"},
        "./sub": {"types": "./types/sub.d.ts", "default": "./src/sub.ts"},
        "./web": {"browser": "./src/browser.ts"},
        "./both": {"import": "./src/esm.ts", "require": "./src/cjs.ts"},
        "./hidden": null}}"#;
    told(
        &[
            ("package.json", r#"{"workspaces": ["p/*"]}"#),
            ("p/a/package.json", exports),
            ("p/a/src/browser.ts", ""),
            ("p/a/src/default.ts", ""),
            ("p/a/src/node.ts", ""),
            ("p/a/src/sub.ts", ""),
            ("p/a/src/esm.ts", ""),
            ("p/a/src/cjs.ts", ""),
            ("p/a/src/hidden.ts", ""),
            ("p/a/types/sub.d.ts", ""),
            ("p/b/package.json", r#"{"name": "@o/b"}"#),
            (
                "p/b/m.ts",
                "import '@o/a';\nimport '@o/a/sub';\nimport '@o/a/both';",
            ),
            ("p/b/c.js", "require('@o/a/both'); require('@o/a/sub');"),
            (
                "p/b/n.ts",
                "import '@o/a/web';\nimport '@o/a/hidden';\nimport '@o/a/other';",
            ),
        ],
        &[
            (
                "p/b/m.ts",
                &[
                    "-> p/a/src/esm.ts",
                    "-> p/a/src/node.ts",
                    "-> p/a/types/sub.d.ts",
                ],
            ),
            ("p/b/c.js", &["-> p/a/src/cjs.ts", "-> p/a/src/sub.ts"]),
            (
                "p/b/n.ts",
                &[
                    "? @o/a/web no_entry",
                    "? @o/a/hidden not_exported",
                    "? @o/a/other not_exported",
                ],
            ),
        ],
    );
}

#[test]
fn mappings_come_before_built_in_modules() {
    told(
        &[
            (
                "tsconfig.json",
                r#"{"compilerOptions": {"paths": {"util": ["./src/util/index.ts"]}}}"#,
            ),
            (
                "src/a.ts",
                "import 'util';\nimport 'node:util';\nimport 'fs';",
            ),
            ("src/util/index.ts", ""),
        ],
        &[("src/a.ts", &["-> src/util/index.ts", "std fs", "std util"])],
    );
}

#[test]
fn private_names_are_mapped_by_the_package_or_the_configuration() {
    told(
        &[
            (
                "package.json",
                r##"{"name": "x", "imports": {"#db": {"types": "./src/db/index.ts", "default": "./dist/db/index.js"}, "#in/*.js": "./dist/in/*.js", "#ext": "lodash", "#no/*": null}}"##,
            ),
            (
                "tsconfig.json",
                r##"{"compilerOptions": {"outDir": "dist", "rootDir": "src", "paths": {"#app/*": ["./src/app/*"]}}}"##,
            ),
            (
                "src/m.ts",
                "import '#db';\nimport '#in/z.js';\nimport '#app/k';\nimport '#ext';\nimport '#no/x';",
            ),
            ("src/app/k.ts", ""),
            ("src/db/index.ts", ""),
            ("src/in/z.ts", ""),
        ],
        &[(
            "src/m.ts",
            &[
                "-> src/app/k.ts",
                "-> src/db/index.ts",
                "-> src/in/z.ts",
                "package lodash",
                "? #no/x not_mapped",
            ],
        )],
    );
}

#[test]
fn a_package_of_test_data_is_for_its_test() {
    let fixture = [
        (
            "test/fixtures/lodash/package.json",
            r#"{"name": "lodash", "main": "index.js"}"#,
        ),
        ("test/fixtures/lodash/index.js", ""),
        ("src/a.js", "require('lodash');"),
    ];
    for manifest in [
        r#"{"name": "app", "dependencies": {"lodash": "^4"}}"#,
        r#"{"name": "app"}"#,
        r#"{"name": "app", "workspaces": ["packages/*"]}"#,
    ] {
        let mut files = vec![("package.json", manifest)];
        files.extend(fixture);
        told(&files, &[("src/a.js", &["package lodash"])]);
    }
    // Unless the manifest points there.
    let pointing = r#"{"name": "app", "dependencies": {"lodash": "file:test/fixtures/lodash"}}"#;
    let mut files = vec![("package.json", pointing)];
    files.extend(fixture);
    told(
        &files,
        &[("src/a.js", &["-> test/fixtures/lodash/index.js"])],
    );
}

#[test]
fn members_of_a_workspace_are_found_by_name() {
    for (name, text) in [
        (
            "package.json",
            r#"{"workspaces": {"packages": ["packages/*", "!packages/old"]}}"#,
        ),
        (
            "pnpm-workspace.yaml",
            "packages:\n  - 'packages/*'\n  - '!packages/old'\n",
        ),
        (
            "lerna.json",
            r#"{"packages": ["packages/*", "!packages/old"]}"#,
        ),
    ] {
        told(
            &[
                (name, text),
                (
                    "packages/a/package.json",
                    r#"{"name": "a", "dependencies": {"b": "^1"}}"#,
                ),
                ("packages/a/i.js", "require('b'); require('a/x');"),
                ("packages/a/x.js", ""),
                ("packages/b/package.json", r#"{"name": "b"}"#),
                ("packages/b/index.js", ""),
                ("packages/old/package.json", r#"{"name": "b"}"#),
                ("packages/old/index.js", ""),
            ],
            &[(
                "packages/a/i.js",
                &["-> packages/a/x.js", "-> packages/b/index.js"],
            )],
        );
    }
}

#[test]
fn platform_files_replace_the_plain_one() {
    told(
        &[
            (
                "package.json",
                r#"{"dependencies": {"react-native": "0.80"}}"#,
            ),
            (
                "src/App.tsx",
                "import './Button';\nimport './api';\nimport './both';",
            ),
            ("src/Button.android.tsx", ""),
            ("src/Button.ios.tsx", ""),
            ("src/api.native.ts", ""),
            ("src/api.web.ts", ""),
            ("src/both.ts", ""),
            ("src/both.ios.ts", ""),
        ],
        &[(
            "src/App.tsx",
            &[
                "-> src/Button.android.tsx",
                "-> src/Button.ios.tsx",
                "-> src/api.native.ts",
                "-> src/api.web.ts",
                "-> src/both.ts",
            ],
        )],
    );
    told(
        &[
            (
                "tsconfig.json",
                r#"{"compilerOptions": {"moduleSuffixes": [".ios", ""]}}"#,
            ),
            ("a.ts", "import './b';\nimport './c.js';"),
            ("b.ts", ""),
            ("b.ios.ts", ""),
            ("c.ts", ""),
        ],
        &[("a.ts", &["-> b.ios.ts", "-> c.ts"])],
    );
}

#[test]
fn sources_come_before_generated_files() {
    told(
        &[
            (
                "m.ts",
                "import './x';\nimport './y.js';\nimport './x.js';\nimport './z.mjs';",
            ),
            ("n.js", "import './y.js';\nimport './x';"),
            ("x.d.ts", ""),
            ("x.js", ""),
            ("y.js", ""),
            ("y.ts", ""),
            ("z.mts", ""),
            ("z.mjs", ""),
        ],
        &[
            ("m.ts", &["-> x.d.ts", "-> y.ts", "-> z.mts"]),
            ("n.js", &["-> x.js", "-> y.js"]),
        ],
    );
}

#[test]
fn deno_maps_its_imports() {
    told(
        &[
            (
                "deno.json",
                r#"{"imports": {"@/": "./src/", "oak": "jsr:@oak/oak@17", "$std/": "https://deno.land/std/", "u": "./src/u.ts"}}"#,
            ),
            (
                "main.ts",
                "import '@/u.ts';\nimport 'oak';\nimport '$std/path.ts';\nimport 'npm:chalk@5';\nimport 'u';\nimport '@/gone.ts';",
            ),
            ("src/u.ts", ""),
            ("web/deno.jsonc", "{\"importMap\": \"./map.json\", /* x */}"),
            ("web/map.json", r#"{"imports": {"~/": "../src/"}}"#),
            ("web/a.ts", "import '~/u.ts';"),
        ],
        &[
            (
                "main.ts",
                &[
                    "-> src/u.ts",
                    "package @oak/oak",
                    "package chalk",
                    "package https://deno.land/std/path.ts",
                    "? @/gone.ts no_such_file",
                ],
            ),
            ("web/a.ts", &["-> src/u.ts"]),
        ],
    );
}

#[test]
fn members_of_a_deno_workspace_are_found_by_name() {
    told(
        &[
            (
                "deno.json",
                r#"{"workspace": ["./pkg"], "imports": {"x": "npm:x@1"}}"#,
            ),
            (
                "pkg/deno.json",
                r#"{"name": "@me/pkg", "version": "1.0.0", "exports": {".": "./mod.ts", "./sub": "./sub.ts"}}"#,
            ),
            ("pkg/mod.ts", "import 'x';"),
            ("pkg/sub.ts", ""),
            ("main.ts", "import '@me/pkg';\nimport '@me/pkg/sub';"),
        ],
        &[
            ("main.ts", &["-> pkg/mod.ts", "-> pkg/sub.ts"]),
            ("pkg/mod.ts", &["package x"]),
        ],
    );
}

#[test]
fn an_entry_is_that_of_the_importing_language() {
    let entry = r#"{"name": "b", "types": "i.d.ts", "main": "i.js"}"#;
    told(
        &[
            ("package.json", r#"{"workspaces": ["b"]}"#),
            ("b/package.json", entry),
            ("b/i.js", ""),
            ("b/i.d.ts", ""),
            ("a.js", "require('b'); require('./b');"),
            ("a.ts", "import 'b';"),
        ],
        &[("a.js", &["-> b/i.js"]), ("a.ts", &["-> b/i.d.ts"])],
    );
}

#[test]
fn symbolic_links_are_followed() {
    told(
        &[
            ("src/link.ts -> src/real.ts", ""),
            ("src/shared -> lib", ""),
            ("src/round -> src/round", ""),
            (
                "src/m.ts",
                "import './link';\nimport './shared/x';\nimport './round/x';",
            ),
            ("src/real.ts", ""),
            ("lib/x.ts", ""),
        ],
        &[(
            "src/m.ts",
            &["-> lib/x.ts", "-> src/real.ts", "? ./round/x no_such_file"],
        )],
    );
}
