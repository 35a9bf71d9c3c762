//! Where the built page lies.

use std::path::{Path, PathBuf};

/// The folder of a built page.
#[derive(Debug, Clone)]
pub(crate) struct PageFiles(PathBuf);

/// Reports a folder that holds no page.
#[derive(Debug, thiserror::Error)]
#[error("find index.html in {} (--page-dir, CARREL_PAGE_DIR): build the page first", folder.display())]
pub struct PageError {
    /// The folder that was named.
    pub folder: PathBuf,
}

impl PageFiles {
    /// Accepts a folder that holds a built page.
    pub(crate) fn find(folder: &Path) -> Result<Self, PageError> {
        if folder.join("index.html").is_file() {
            Ok(Self(folder.to_owned()))
        } else {
            Err(PageError {
                folder: folder.to_owned(),
            })
        }
    }

    /// Where a file of this name lies, if it is there.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}
