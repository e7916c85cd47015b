//! The page's files and the headers they come with.

use crate::support::Rig;

const POLICY: [&str; 12] = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "font-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
    "connect-src 'self'",
];

/// The path of the assets that the index names.
fn assets(index: &str) -> String {
    let start = index.find("/assets/").expect("the index names its assets");
    index[start..].chars().take("/assets/".len() + 16).collect()
}

#[tokio::test]
async fn the_page_comes_with_a_strict_policy() {
    let rig = Rig::start().await;
    let index = rig.get("/").await;
    assert_eq!(index.status, 200);
    assert_eq!(index.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(index.header("cache-control"), "no-store");
    let text = String::from_utf8(index.body.to_vec()).unwrap();
    let app = format!("{}/app.js", assets(&text));
    for target in ["/", &app, "/manifest.webmanifest", "/nothing"] {
        let answer = rig.get(target).await;
        let policy = answer.header("content-security-policy");
        for directive in POLICY {
            assert!(policy.contains(directive), "{target}: {directive} is not in {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{target}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{target}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{target}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{target}");
        assert!(answer.header("permissions-policy").contains("camera=()"), "{target}");
    }
}

#[tokio::test]
async fn the_page_may_open_sockets_to_the_place_it_came_from() {
    let rig = Rig::start().await;
    let connect = |host: &str| {
        let host = host.to_owned();
        let rig = &rig;
        async move {
            let answer = rig.ask("GET", "/", &[("host", &host)], "").await;
            let policy = answer.header("content-security-policy").to_owned();
            policy.split("; ").find(|directive| directive.starts_with("connect-src")).unwrap().to_owned()
        }
    };
    assert_eq!(connect(&rig.host()).await, format!("connect-src 'self' ws://127.0.0.1:{}", rig.port));
    assert_eq!(connect("vm102.example.ts.net").await, "connect-src 'self' wss://vm102.example.ts.net");
}

#[tokio::test]
async fn assets_are_immutable_and_named_by_their_hash() {
    let rig = Rig::start().await;
    let text = String::from_utf8(rig.get("/").await.body.to_vec()).unwrap();
    let assets = assets(&text);
    let app = rig.get(&format!("{assets}/app.js")).await;
    assert_eq!((app.status, app.header("content-type")), (200, "text/javascript; charset=utf-8"));
    assert_eq!(app.header("cache-control"), "public, max-age=31536000, immutable");
    let head = rig.ask("HEAD", &format!("{assets}/app.js"), &[], "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    // Every file that the index names is there.
    for part in text.split(['"', '\'']).filter(|part| part.starts_with("/assets/")) {
        assert_eq!(rig.get(part).await.status, 200, "{part}");
    }
    for target in [
        "/assets/0000000000000000/app.js".to_owned(),
        format!("{assets}/nothing.js"),
        format!("{assets}/../app.js"),
        format!("{assets}/index.html"),
        assets.clone(),
        "/sw.js".to_owned(),
    ] {
        let answer = rig.get(&target).await;
        assert_eq!((answer.status, answer.header("cache-control")), (404, "no-store"), "{target}");
    }
}

#[tokio::test]
async fn a_link_from_a_chat_opens_the_page() {
    let rig = Rig::start().await;
    let fields = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    assert_eq!(rig.ask("GET", "/", &fields, "").await.status, 200);
    let framed = [fields[0], fields[1], ("sec-fetch-dest", "iframe")];
    assert_eq!(rig.ask("GET", "/", &framed, "").await.status, 403);
}
