//! Scans of files that are not UTF-8, or not text.

use super::*;

#[test]
fn every_encoding_is_decoded_or_counted() {
    let tree = Tree::new(&[("utf8.py", "x = 'é'\n")]);
    let utf16 = |text: &str, order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let units = std::iter::once(0xfeff).chain(text.encode_utf16());
        units.flat_map(order).collect()
    };
    tree.write("bom.py", b"\xef\xbb\xbfx = 'b'\n");
    tree.write("utf16le.py", utf16("x = 'é😀'\n", u16::to_le_bytes));
    tree.write("utf16be.py", utf16("x = 'é😀'\n", u16::to_be_bytes));
    tree.write("latin1.py", b"# caf\xe9\nx = 1\n");
    tree.write("binary.py", b"\x7fELF\0\0\0");
    tree.write("utf16_without_mark.py", b"x\0=\x001\0");
    tree.write("utf32.py", b"\xff\xfe\0\0x\0\0\0");
    tree.write("empty.py", b"");
    let workspace = tree.workspace("");
    let found = scan(&workspace, &at(""));
    let texts: Vec<(&str, String)> = found
        .files
        .iter()
        .map(|file| (file.path.as_str(), workspace.read(file).expect("text").text))
        .collect();
    let expected = [
        ("bom.py", "x = 'b'\n"),
        ("empty.py", ""),
        ("latin1.py", "# café\nx = 1\n"),
        ("utf16be.py", "x = 'é😀'\n"),
        ("utf16le.py", "x = 'é😀'\n"),
        ("utf8.py", "x = 'é'\n"),
    ];
    assert_eq!(texts, expected.map(|(path, text)| (path, text.to_owned())));
    assert_eq!(left_out(&found), ["binary: 3"]);
    let notes: Vec<(&str, u64)> = found
        .notes
        .iter()
        .map(|(note, n)| (note.name(), *n))
        .collect();
    assert_eq!(notes, [("decoded_as_latin1", 1), ("decoded_from_utf16", 2)]);
    // What is said of a file is said again when its hash came from the cache.
    settle();
    scan(&workspace, &at(""));
    let again = scan(&workspace, &at(""));
    assert_eq!(
        (&again.notes, left_out(&again)),
        (&found.notes, left_out(&found))
    );
}
