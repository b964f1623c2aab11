//! docker-compose.yml says what is true: it parses, and every word of its commands is one that the program knows.

use std::fs;

use saphyr::{LoadableYamlNode, Yaml};

use crate::support::{Project, run};
use crate::tidy::root;

#[test]
fn the_composed_service_runs_this_program_over_one_folder() {
    let text = fs::read_to_string(root().join("docker-compose.yml")).expect("the file");
    let documents = Yaml::load_from_str(&text).expect("YAML");
    let service = &documents[0]["services"]["mcp-code-analysis"];
    let command: Vec<_> = service["command"]
        .as_sequence()
        .expect("a list")
        .iter()
        .map(|word| word.as_str().expect("a text"))
        .collect();
    // With its folder in place, the command starts, sees the end of stdin, and goes.
    let project = Project::small();
    let folder = project.path().to_string_lossy();
    let here: Vec<_> = command
        .iter()
        .map(|word| if *word == "/code" { &folder } else { *word })
        .collect();
    let ended = run(project.path(), &here);
    assert_eq!(ended.code, Some(0), "{here:?}: {}", ended.stderr);
    let mounted = service["volumes"][0].as_str().expect("a volume");
    assert!(mounted.ends_with(":/code:ro"), "{mounted}");
    assert_eq!(service["tty"].as_bool(), Some(false));
    assert_eq!(service["stdin_open"].as_bool(), Some(true));
    let recipe = service["build"]["dockerfile_inline"]
        .as_str()
        .expect("a recipe");
    assert!(recipe.contains("cargo build --release --locked --bin mcp-code-analysis"));
}
