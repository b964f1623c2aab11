//! Exported sessions, read line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// Longest line: a session has at most 8 MiB of state, 56 MiB of complete results and a history of answers, and JSON
/// inside JSON is up to twice as long.
const LINE_MAX: u64 = 128 << 20;

/// Calls `take` with the number and the text of every non-empty line. `-` is stdin.
pub(super) fn each_line(file: &Path, take: impl FnMut(usize, &str)) -> io::Result<()> {
    if file == Path::new("-") {
        return lines(&mut io::stdin().lock(), take);
    }
    lines(&mut BufReader::new(File::open(file)?), take)
}

fn lines(reader: &mut dyn BufRead, mut take: impl FnMut(usize, &str)) -> io::Result<()> {
    let mut buffer = Vec::new();
    for number in 1.. {
        buffer.clear();
        let read = reader.take(LINE_MAX + 1).read_until(b'\n', &mut buffer)?;
        if read == 0 {
            break;
        }
        let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        if read as u64 > LINE_MAX {
            return Err(wrong(format!(
                "line {number} has more than {LINE_MAX} bytes"
            )));
        }
        let text = str::from_utf8(&buffer)
            .map_err(|_| wrong(format!("line {number} is not UTF-8 text")))?;
        if !text.trim().is_empty() {
            take(number, text.trim());
        }
    }
    Ok(())
}
