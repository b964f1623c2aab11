//! Manifests and imports that are made to cost time or memory.

use super::told::told;
use super::*;

#[test]
fn many_stars_and_a_long_specifier_make_no_path() {
    let stars = "*/".repeat(200_000);
    let config = format!(r#"{{"compilerOptions": {{"paths": {{"@x/*": ["{stars}", "./y/*"]}}}}}}"#);
    let import = format!(
        "import a from '@x/{}'\nimport b from '@x/b'\n",
        "a".repeat(4000)
    );
    let too_long = format!("import a from './{}'\n", "a".repeat(5000));
    let (long, longer) = ("a".repeat(4000), "a".repeat(5000));
    told(
        &[
            ("tsconfig.json", &config),
            ("a.ts", &import),
            ("b.ts", &too_long),
            ("y/b.ts", ""),
        ],
        &[
            ("a.ts", &["-> y/b.ts", &format!("? @x/{long} not_mapped")]),
            ("b.ts", &[&format!("? ./{longer} too_long")]),
        ],
    );
}

#[test]
fn preparation_before_the_first_import_can_be_stopped() {
    let analysis = analyze(Language::TypeScript, "", &|| false).expect("nobody cancels");
    let files = [SourceFile::new("a.ts", &analysis)];
    let manifests: Vec<Manifest> = (0..100)
        .map(|at| Manifest {
            path: format!("{at}/tsconfig.json"),
            text: "{}".to_owned(),
        })
        .collect();
    let project = Project {
        files: &files,
        manifests: &manifests,
        links: &[],
    };
    let looks = std::cell::Cell::new(0);
    let stop = || {
        looks.set(looks.get() + 1);
        looks.get() > 50
    };
    assert_eq!(build(project, &stop), Err(Cancelled));
    assert_eq!(looks.get(), 51);
}

#[test]
fn a_file_of_many_imports_can_be_stopped() {
    let text = "import 'x'\n".repeat(1000);
    let analysis = analyze(Language::JavaScript, &text, &|| false).expect("nobody cancels");
    let files = [SourceFile::new("a.js", &analysis)];
    let project = Project {
        files: &files,
        ..Project::default()
    };
    let looks = std::cell::Cell::new(0);
    let stop = || {
        looks.set(looks.get() + 1);
        looks.get() > 20
    };
    assert_eq!(build(project, &stop), Err(Cancelled));
}

#[test]
fn files_that_manifests_refer_to_are_named_once() {
    let manifest = |path: &str, text: &str| Manifest {
        path: path.to_owned(),
        text: text.to_owned(),
    };
    let first = manifest("tsconfig.json", r#"{"extends": "./a"}"#);
    let second = manifest("a.json", r#"{"extends": ["./a", "./b"]}"#);
    let mut leaning = Leaning::default();
    let build = "build/compile_commands.json".to_owned();
    let named = leaning.named_by(&[&first], &|| false);
    assert!(named.contains(&"a.json".to_owned()) && named.contains(&build));
    let named = leaning.named_by(&[&first, &second], &|| false);
    assert!(named.contains(&"b.json".to_owned()) && !named.contains(&"a.json".to_owned()));
    assert_eq!(leaning.named_by(&[&first, &second], &|| true).len(), 4);
}
