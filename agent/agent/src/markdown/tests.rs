//! What people and models write, and what somebody writes to do harm.

use proptest::prelude::*;

use super::*;

fn parse(text: &str) -> Vec<Block> {
    super::parse(text, Patience::default())
}

fn json(text: &str) -> String {
    serde_json::to_string(&parse(text)).unwrap()
}

fn check(text: &str, expect: &str) {
    assert_eq!(json(text), expect, "{text:?}");
}

#[test]
fn what_models_write() {
    check(
        "Hi *a* **b** ~~c~~ `d`",
        concat!(
            r#"[{"t":"paragraph","c":[{"t":"text","text":"Hi "},{"t":"emph","c":[{"t":"text","text":"a"}]},"#,
            r#"{"t":"text","text":" "},{"t":"strong","c":[{"t":"text","text":"b"}]},{"t":"text","text":" "},"#,
            r#"{"t":"strike","c":[{"t":"text","text":"c"}]},{"t":"text","text":" "},{"t":"code","text":"d"}]}]"#
        ),
    );
    check("# T", r#"[{"t":"heading","level":1,"c":[{"t":"text","text":"T"}]}]"#);
    check("```rust ignore\nfn a() {}\n```", r#"[{"t":"code","lang":"rust","text":"fn a() {}"}]"#);
    check("```\"><script>\nx\n```", r#"[{"t":"code","lang":null,"text":"x"}]"#);
    check("> q", r#"[{"t":"quote","c":[{"t":"paragraph","c":[{"t":"text","text":"q"}]}]}]"#);
    check("---", r#"[{"t":"rule"}]"#);
    check("a\nb  \nc", r#"[{"t":"paragraph","c":[{"t":"text","text":"a b"},{"t":"break"},{"t":"text","text":"c"}]}]"#);
    check("", "[]");
}

#[test]
fn lists_and_tables() {
    check(
        "3. a\n4. b",
        concat!(
            r#"[{"t":"list","start":3,"items":[{"checked":null,"c":[{"t":"paragraph","c":[{"t":"text","text":"a"}]}]},"#,
            r#"{"checked":null,"c":[{"t":"paragraph","c":[{"t":"text","text":"b"}]}]}]}]"#
        ),
    );
    check(
        "- [x] a",
        r#"[{"t":"list","start":null,"items":[{"checked":true,"c":[{"t":"paragraph","c":[{"t":"text","text":"a"}]}]}]}]"#,
    );
    check(
        "|a|b|\n|:-|-:|\n|1|2|",
        concat!(
            r#"[{"t":"table","align":["left","right"],"head":[[{"t":"text","text":"a"}],[{"t":"text","text":"b"}]],"#,
            r#""rows":[[[{"t":"text","text":"1"}],[{"t":"text","text":"2"}]]]}]"#
        ),
    );
}

#[test]
fn links_and_images() {
    check(
        "[a](https://e.org)",
        r#"[{"t":"paragraph","c":[{"t":"link","href":"https://e.org","c":[{"t":"text","text":"a"}]}]}]"#,
    );
    check(
        "![pixel](https://e.org/p.gif)",
        r#"[{"t":"paragraph","c":[{"t":"link","href":"https://e.org/p.gif","c":[{"t":"text","text":"pixel"}]}]}]"#,
    );
    check(
        "![](https://e.org/p.gif)",
        r#"[{"t":"paragraph","c":[{"t":"link","href":"https://e.org/p.gif","c":[{"t":"text","text":"https://e.org/p.gif"}]}]}]"#,
    );
    check(
        "[![logo](https://e.org/p.gif)](https://e.org)",
        r#"[{"t":"paragraph","c":[{"t":"link","href":"https://e.org","c":[{"t":"text","text":"logo"}]}]}]"#,
    );
    check("[a](javascript:alert(1)) b", r#"[{"t":"paragraph","c":[{"t":"text","text":"a b"}]}]"#);
    assert!(json("see https://e.org/x").contains(r#""href":"https://e.org/x""#));
    assert!(!json("<javascript:alert(1)> [x]: data:text/html,1").contains("href"));
}

#[test]
fn html_is_text() {
    check("<script>alert(1)</script>", r#"[{"t":"paragraph","c":[{"t":"text","text":"<script>alert(1)</script>"}]}]"#);
    check("a <img src=x onerror=y> b", r#"[{"t":"paragraph","c":[{"t":"text","text":"a <img src=x onerror=y> b"}]}]"#);
    check(
        "<div>\na\n</div>",
        concat!(
            r#"[{"t":"paragraph","c":[{"t":"text","text":"<div>"},{"t":"break"},{"t":"text","text":"a"},{"t":"break"},"#,
            r#"{"t":"text","text":"</div>"}]}]"#
        ),
    );
}

/// Depth and size of a tree, counted independently of how it was built.
fn measure(blocks: &[Block]) -> (usize, usize) {
    fn walk(value: &serde_json::Value, depth: usize, deepest: &mut usize, nodes: &mut usize) {
        match value {
            serde_json::Value::Object(fields) => {
                let is_node = fields.contains_key("t");
                *nodes += usize::from(is_node);
                let depth = depth + usize::from(is_node);
                *deepest = depth.max(*deepest);
                fields.values().for_each(|value| walk(value, depth, deepest, nodes));
            }
            serde_json::Value::Array(values) => values.iter().for_each(|value| walk(value, depth, deepest, nodes)),
            _ => {}
        }
    }
    let (mut deepest, mut nodes) = (0, 0);
    walk(&serde_json::to_value(blocks).unwrap(), 0, &mut deepest, &mut nodes);
    (deepest, nodes)
}

#[test]
fn hostile_text_gives_a_bounded_tree() {
    let many = 50_000;
    let texts = [
        ">".repeat(many),
        "> ".repeat(many),
        "- ".repeat(many),
        "*".repeat(many),
        "*a ".repeat(many),
        "**a *b ".repeat(many / 4),
        "[".repeat(many),
        "![".repeat(many),
        "[a](".repeat(many),
        "`".repeat(many),
        "<".repeat(many),
        "<a ".repeat(many),
        "&".repeat(many),
        "|a".repeat(many) + "\n" + &"|-".repeat(many) + "\n" + &"|b".repeat(many),
        "a\n\n".repeat(many),
        "~~a~~ ".repeat(many),
        format!("{}x{}", "*".repeat(5000), "*".repeat(5000)),
        (0..200).flat_map(|n| ["  ".repeat(n), "- a\n".to_owned()]).collect(),
        "\0\u{1b}[31m\u{202e}".repeat(1000),
    ];
    for text in texts {
        let (depth, nodes) = measure(&parse(&text));
        let start: String = text.chars().take(10).collect();
        assert!(depth <= 2 * MAX_DEPTH + 2, "{start:?}: {depth} deep");
        assert!(nodes <= MAX_NODES * 2, "{start:?}: {nodes} nodes");
    }
}

#[test]
fn when_the_time_is_up_long_text_is_shown_as_it_is_written() {
    let text = "a *b*\n\n".repeat(1000);
    let blocks = super::parse(&text, Patience(Instant::now()));
    assert_eq!(blocks, vec![Block::Code { lang: None, text }]);
}

proptest! {
    #[test]
    fn any_text_gives_a_bounded_tree(text in "([*_~`\\[\\]()<>!#|>\\-\\\\&;:a \n]|https://e|javascript:|<b>){0,200}") {
        let blocks = parse(&text);
        let (depth, nodes) = measure(&blocks);
        prop_assert!(depth <= 2 * MAX_DEPTH + 2 && nodes <= MAX_NODES * 2);
        let json = serde_json::to_string(&blocks).unwrap();
        prop_assert!(!json.contains("\"href\":\"j"));
    }
}
