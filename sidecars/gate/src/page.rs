//! The page's files, compiled in.
//!
//! One hash over the whole tree stands in the path of every file (`/assets/<hash>/app.js`), so they are cached for ever and a new release
//! is new paths; modules import one another relatively. `index.html` and the manifest say `{assets}` where the path
//! belongs, documents `{head}` where [`HEAD`] does. Files of other kinds than [`KINDS`], and tests, are not served.

use std::collections::BTreeMap;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

use crate::http::answer::{self, Body};
use crate::http::place::Place;

/// Extensions that are served, and as what.
const KINDS: [(&str, &str); 9] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("json", "application/json"),
    ("webmanifest", "application/manifest+json"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("ico", "image/x-icon"),
    ("woff2", "font/woff2"),
];
/// What the documents say `{head}` for. It is served nowhere by itself.
const HEAD: &str = "head.html";
/// Files with `{assets}` in them.
const TEMPLATES: [&str; 6] =
    ["index.html", "confirmations.html", "cron.html", "devices.html", "timeline.html", "manifest.webmanifest"];
/// Files that have a route of their own.
const DOCUMENTS: [&str; 5] = ["index.html", "confirmations.html", "cron.html", "devices.html", "timeline.html"];
/// Files that browsers ask for at the root.
const ROOT_FILES: [&str; 4] = ["manifest.webmanifest", "favicon.ico", "favicon.svg", "apple-touch-icon.png"];
/// Hex digits of the hash in the path.
const HASH_DIGITS: usize = 16;
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

#[derive(RustEmbed)]
#[folder = "page/"]
struct Files;

/// All files, ready to be sent.
#[derive(Debug)]
pub struct Page {
    hash: String,
    files: BTreeMap<String, File>,
}

#[derive(Debug, Clone)]
struct File {
    kind: &'static str,
    bytes: Bytes,
}

impl Page {
    /// The files that were compiled in.
    pub fn embedded() -> Self {
        let files = Files::iter().filter_map(|path| {
            let file = Files::get(&path)?;
            let bytes = match file.data {
                std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
            };
            Some((path.into_owned(), bytes))
        });
        Self::of(files)
    }

    fn of(files: impl Iterator<Item = (String, Bytes)>) -> Self {
        let mut files: BTreeMap<String, File> =
            files.filter_map(|(path, bytes)| kind(&path).map(|kind| (path, File { kind, bytes }))).collect();
        let hash = hash(&files);
        let head = files.remove(HEAD).map(|file| String::from_utf8_lossy(&file.bytes).trim().to_owned());
        let head = head.unwrap_or_default();
        for name in TEMPLATES {
            if let Some(file) = files.get_mut(name) {
                let text = String::from_utf8_lossy(&file.bytes).replace("{head}", &head);
                let text = text.replace("{assets}", &format!("/assets/{hash}"));
                file.bytes = Bytes::from(text);
            }
        }
        Self { hash, files }
    }

    /// `GET /`, `GET /confirmations`.
    pub fn document(&self, name: &str, place: &Place) -> Option<Response<Body>> {
        let mut response = self.send(name)?;
        // Asked for anew each time: it names the files.
        let policy = HeaderValue::from_str(&answer::policy(Some(&place.socket_origin))).ok()?;
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        Some(response)
    }

    /// `GET /assets/{hash}/{path}`.
    pub fn asset(&self, hash: &str, path: &str) -> Option<Response<Body>> {
        if hash != self.hash || DOCUMENTS.contains(&path) {
            return None;
        }
        let mut response = self.send(path)?;
        response.headers_mut().insert(header::CACHE_CONTROL, FOR_EVER);
        Some(response)
    }

    /// `GET /manifest.webmanifest` and the icons that browsers look for.
    pub fn root_file(&self, path: &str) -> Option<Response<Body>> {
        let mut response = self.send(path)?;
        response.headers_mut().insert(header::CACHE_CONTROL, AN_HOUR);
        Some(response)
    }

    fn send(&self, path: &str) -> Option<Response<Body>> {
        let file = self.files.get(path)?;
        Some(answer::with_type(StatusCode::OK, file.kind, answer::full(file.bytes.clone())))
    }
}

/// Whether a path at the root is one of the page's files.
pub fn is_root_file(path: &str) -> bool {
    ROOT_FILES.contains(&path)
}

fn kind(path: &str) -> Option<&'static str> {
    let mut parts = path.rsplit('/').next()?.rsplit('.');
    let extension = parts.next()?;
    let is_test = parts.next() == Some("test") || path.split('/').any(|part| part == "test");
    let found = KINDS.iter().find(|(known, _)| *known == extension)?;
    (!is_test).then_some(found.1)
}

fn hash(files: &BTreeMap<String, File>) -> String {
    let mut hash = Sha256::new();
    for (path, file) in files {
        hash.update(path.as_bytes());
        hash.update([0]);
        hash.update(Sha256::digest(&file.bytes));
    }
    let mut text = HEXLOWER.encode(&hash.finalize());
    text.truncate(HASH_DIGITS);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(files: &[(&str, &'static str)]) -> Page {
        Page::of(files.iter().map(|(path, text)| ((*path).to_owned(), Bytes::from_static(text.as_bytes()))))
    }

    #[test]
    fn a_changed_file_changes_every_path() {
        let files = [
            ("index.html", "{head}<script src={assets}/app.js>"),
            ("head.html", "<link href={assets}/a.css>\n"),
            ("app.js", "1"),
            ("app.test.js", "x"),
            ("README.md", "x"),
        ];
        let before = page(&files);
        assert_eq!(before.files.keys().collect::<Vec<_>>(), ["app.js", "index.html"]);
        let index = &before.files["index.html"].bytes;
        assert_eq!(index, &format!("<link href=/assets/{0}/a.css><script src=/assets/{0}/app.js>", before.hash));
        assert!(before.asset(&before.hash, "app.js").is_some());
        assert!(before.asset(&before.hash, "../gate.rs").is_none());
        assert!(before.asset(&before.hash, "index.html").is_none());
        assert!(before.asset("0000000000000000", "app.js").is_none());
        let after = page(&[("index.html", "<script src={assets}/app.js>"), ("app.js", "2")]);
        assert_ne!(before.hash, after.hash);
    }

    #[test]
    fn the_page_is_there_and_has_no_service_worker() {
        let page = Page::embedded();
        let index = String::from_utf8_lossy(&page.files["index.html"].bytes).into_owned();
        assert!(!index.contains("{assets}") && !index.contains("{head}"), "{index}");
        assert!(page.asset(&page.hash, HEAD).is_none());
        for (path, file) in page.files.iter().filter(|(_, file)| file.kind.starts_with("text/")) {
            let text = String::from_utf8_lossy(&file.bytes);
            assert!(!text.contains("serviceWorker"), "{path} registers a service worker");
        }
    }
}
