use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use carrel_keeper::report::DeviceNode;

/// Folders below `/dev` are looked into this deep; hosts have block devices in the second.
const DEPTH: usize = 3;

/// Lists device nodes under `/dev`, sorted by path.
pub(super) fn list() -> Vec<DeviceNode> {
    let mut nodes = Vec::new();
    collect(Path::new("/dev"), DEPTH, &mut nodes);
    nodes.sort_by(|a, b| a.path.cmp(&b.path));
    nodes
}

fn collect(folder: &Path, depth: usize, nodes: &mut Vec<DeviceNode>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        // Links are left out: their targets are listed themselves.
        let Ok(found) = entry.metadata() else {
            continue;
        };
        let kind = found.file_type();
        if kind.is_dir() && depth > 1 {
            collect(&entry.path(), depth - 1, nodes);
        }
        if kind.is_char_device() || kind.is_block_device() {
            nodes.push(DeviceNode {
                path: entry.path().to_string_lossy().into_owned(),
                kind: if kind.is_block_device() {
                    "block"
                } else {
                    "char"
                }
                .to_owned(),
                major: rustix::fs::major(found.rdev()),
                minor: rustix::fs::minor(found.rdev()),
            });
        }
    }
}
