//! Changes to the analysed code while it is read.

use std::time::Duration;

use super::Scenario;
use super::world::{FILES, World, write_module};

const ROUNDS: usize = 40;
/// Line breaks, an escape sequence and a direction mark.
const FORGED: &str = "pkg/a\nsession_id=ses_0\u{1b}[2J\u{202e}.py";
const BETWEEN: Duration = Duration::from_millis(50);

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("disk: files rewritten", |world| {
            rounds(world, |world, file| {
                world
                    .project
                    .write(&format!("pkg/m{file}.py"), b"def f():\n    retu");
                write_module(&world.project, file);
            });
        })
        .sampled(),
        Scenario::new("disk: files that no parser likes", |world| {
            rounds(world, |world, file| {
                let hostile: &[u8] = match file % 4 {
                    0 => b"\xff\xfe\x00\x00",
                    1 => &[b'('; 60_000],
                    2 => b"x = [\n",
                    _ => &[b'!'; 60_000],
                };
                world.project.write(&format!("pkg/m{file}.py"), hostile);
            });
            (0..FILES).for_each(|file| write_module(&world.project, file));
        }),
        Scenario::new("disk: a name that forges a line", |world| {
            rounds(world, |world, _| {
                world.project.write(FORGED, b"def f():\n    return 1\n")
            });
        }),
    ]
}

fn rounds(world: &mut World, strike: fn(&mut World, usize)) {
    for nth in 0..ROUNDS {
        strike(world, nth % FILES);
        world.hold(BETWEEN);
    }
}
