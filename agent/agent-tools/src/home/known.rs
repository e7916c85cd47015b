//! Which id is meant, and what a bot may do with it.

use platform_types::ways::{House, May, SCENE, Thing};

use crate::nearest::nearest;
use crate::tool::{Context, ToolError};

/// Ids in a description: all tools of a bot share 1,500 tokens.
const MAX_NAMED_BYTES: usize = 700;

/// The house of the profile.
pub fn house(context: &Context) -> Result<&House, ToolError> {
    context.house.as_ref().ok_or_else(|| ToolError("this profile has no upstream for Home Assistant".to_owned()))
}

/// The entity that is meant; scenes are none.
pub fn entity<'a>(house: &'a House, id: &str) -> Result<&'a Thing, ToolError> {
    if is_scene(id) && house.things.iter().any(|thing| thing.id == id) {
        return Err(ToolError(format!("{id} is a scene: turn it on with home.scene")));
    }
    find(house, id, "entity", |thing| !is_scene(&thing.id))
}

/// The scene that is meant.
pub fn scene<'a>(house: &'a House, id: &str) -> Result<&'a Thing, ToolError> {
    find(house, id, "scene", |thing| is_scene(&thing.id))
}

fn find<'a>(house: &'a House, id: &str, what: &str, fits: fn(&Thing) -> bool) -> Result<&'a Thing, ToolError> {
    let mut known = house.things.iter().filter(|thing| fits(thing));
    if let Some(found) = known.clone().find(|thing| thing.id == id) {
        return Ok(found);
    }
    if known.next().is_none() {
        return Err(ToolError(format!("no {what} is configured for this bot")));
    }
    let near = nearest(id, house.things.iter().filter(|thing| fits(thing)).map(|thing| thing.id.as_str()));
    Err(ToolError(format!("there is no {what} {:?} for this bot; nearest: {}", cut(id), near.join(", "))))
}

/// Ids for a description, with what needs a person marked; as many as there is room for.
pub fn named<'a>(things: impl Iterator<Item = &'a Thing>) -> Option<String> {
    let mut text = String::new();
    let mut left = 0;
    for thing in things {
        let mark = if thing.may == May::Confirm { " (a person confirms)" } else { "" };
        let gap = if text.is_empty() { "" } else { ", " };
        if left > 0 || text.len() + gap.len() + thing.id.len() + mark.len() > MAX_NAMED_BYTES {
            left += 1;
        } else {
            text.push_str(gap);
            text.push_str(&thing.id);
            text.push_str(mark);
        }
    }
    if left > 0 {
        text = format!("{text}, and {left} more in home.status");
    }
    (!text.is_empty()).then_some(text)
}

pub fn is_scene(id: &str) -> bool {
    id.split_once('.').is_some_and(|(domain, _)| domain == SCENE)
}

/// What somebody wrote as an id, short enough to be repeated.
fn cut(id: &str) -> String {
    platform_types::text::neutral_cut(id, 80)
}
