//! Both ways to open a file, after its path has been replaced by other things.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

fn each_way(path: &Path) -> [Result<String, Errno>; 2] {
    let flags = OFlags::RDONLY | FILE_FLAGS;
    [open(path, flags), open_stepwise(path, flags)].map(|opened| {
        let mut text = String::new();
        File::from(opened?).read_to_string(&mut text).expect("text");
        Ok(text)
    })
}

#[test]
fn plain_paths_open_and_links_anywhere_in_them_do_not() {
    let held = tempfile::tempdir().expect("a directory");
    let root = fs::canonicalize(held.path()).expect("canonical");
    fs::create_dir_all(root.join("a/b")).expect("made");
    fs::write(root.join("a/b/c"), "text").expect("written");
    symlink("a", root.join("link")).expect("linked");
    symlink("c", root.join("a/b/last")).expect("linked");
    let expect_error = |path: &Path| {
        for opened in each_way(path) {
            let error = opened.expect_err("refused");
            let may_be = [Errno::LOOP, Errno::NOTDIR, Errno::NOENT, Errno::INVAL];
            assert!(may_be.contains(&error), "{}: {error}", path.display());
        }
    };
    assert_eq!(
        each_way(&root.join("a/b/c")),
        [Ok("text".to_owned()), Ok("text".to_owned())]
    );
    for path in ["link/b/c", "a/b/last", "a/../a/b/c", "a/b/c/d", "a/nothing"] {
        expect_error(&root.join(path));
    }
    expect_error(Path::new("relative"));
    expect_error(Path::new("/proc/self/cwd/Cargo.toml"));
}

#[test]
fn directories_open_in_both_ways() {
    let flags = OFlags::RDONLY | DIRECTORY_FLAGS;
    for path in ["/", "/usr"] {
        assert!(open(Path::new(path), flags).is_ok());
        assert!(open_stepwise(Path::new(path), flags).is_ok());
    }
}
