//! What a profile is, and the rules of its parts.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::actor::UserId;
use crate::form;
use crate::form::{Change, Field, HttpUrl, Node, Read, Text, TextLimits, Wrong, fold};
use crate::id::Id;
use crate::rating::Rating;
use crate::time::Time;

pub type ItemId = Id<PortfolioItem>;

/// More items than this are refused.
pub const MAX_ITEMS: usize = 50;
/// More skills than this are refused.
const MAX_SKILLS: usize = 50;

/// A first or last name: one line of up to 64 characters.
pub struct NameLimits;
impl TextLimits for NameLimits {
    const MIN: usize = 1;
    const MAX: usize = 64;
}

/// Paragraphs about oneself.
pub struct ProseLimits;
impl TextLimits for ProseLimits {
    const MIN: usize = 0;
    const MAX: usize = 5_000;
    const MULTILINE: bool = true;
}

pub struct SkillLimits;
impl TextLimits for SkillLimits {
    const MIN: usize = 1;
    const MAX: usize = 64;
}

/// What a work is called: one line.
pub struct ItemTitleLimits;
impl TextLimits for ItemTitleLimits {
    const MIN: usize = 3;
    const MAX: usize = 120;
}

/// Skills from a list or a comma-separated string; one that differs only in case is kept once.
#[derive(Debug, Clone, PartialEq)]
pub struct Skills(pub Vec<String>);

impl Field for Skills {
    fn read(node: &Node) -> Read<Self> {
        let read = match node {
            Node::String(text) => text
                .split(',')
                .map(str::trim)
                .filter(|skill| !skill.is_empty())
                .map(|skill| Text::<SkillLimits>::parse(skill).map_err(|wrong| vec![wrong]))
                .collect::<Read<Vec<_>>>()?,
            Node::Array(_) => Vec::<Text<SkillLimits>>::read(node)?,
            _ => return Err(Wrong::kind("a list of skills, or one string with commas between them", node)),
        };
        if read.len() > MAX_SKILLS {
            let detail = format!("send at most {MAX_SKILLS} skills; these are {}", read.len());
            return Err(vec![Wrong::new("too_many", detail)]);
        }
        let mut seen = HashSet::new();
        let given = read.into_iter().map(Text::into_string);
        Ok(Self(given.filter(|skill| seen.insert(fold(skill.trim()))).collect()))
    }

    fn schema() -> Value {
        json!({ "anyOf": [
            { "type": "array", "maxItems": MAX_SKILLS, "items": Text::<SkillLimits>::schema() },
            { "type": "string", "examples": ["logo design, typography"] }
        ] })
    }
}

form! {
    /// Changes to a profile: null clears, what is left out stays.
    pub struct ChangeProfile {
        first_name: Change<Option<Text<NameLimits>>>,
        last_name: Change<Option<Text<NameLimits>>>,
        bio: Change<Option<Text<ProseLimits>>>,
        /// A list, or one string with commas between them; at most 50.
        skills: Change<Skills>,
        experience: Change<Option<Text<ProseLimits>>>,
    }
}

form! {
    /// A new item of the portfolio.
    pub struct AddItem {
        title: Text<ItemTitleLimits>,
        description: Option<Text<ProseLimits>>,
        /// Where the work can be seen.
        url: Option<HttpUrl>,
        image_url: Option<HttpUrl>,
    }
    server_sets { id: "by the server" }
}

form! {
    /// Changes to an item of the portfolio: null clears, what is left out stays.
    pub struct ChangeItem {
        title: Change<Text<ItemTitleLimits>>,
        description: Change<Option<Text<ProseLimits>>>,
        url: Change<Option<HttpUrl>>,
        image_url: Change<Option<HttpUrl>>,
    }
}

/// A work that a freelancer shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PortfolioItem {
    pub id: ItemId,
    pub title: String,
    pub description: Option<String>,
    pub url: Option<String>,
    pub image_url: Option<String>,
}

impl PortfolioItem {
    pub fn new(id: ItemId, form: AddItem) -> Self {
        Self {
            id,
            title: form.title.into_string(),
            description: form.description.map(Text::into_string),
            url: form.url.map(written),
            image_url: form.image_url.map(written),
        }
    }

    /// The item as the form wants it.
    pub fn changed(&self, form: ChangeItem) -> Self {
        let present = self.clone();
        Self {
            id: self.id,
            title: form.title.given().map_or(present.title, Text::into_string),
            description: form
                .description
                .given()
                .map_or(present.description, |text| text.map(Text::into_string)),
            url: form.url.given().map_or(present.url, |url| url.map(written)),
            image_url: form.image_url.given().map_or(present.image_url, |url| url.map(written)),
        }
    }
}

fn written(url: HttpUrl) -> String {
    url.as_str().to_owned()
}

/// A freelancer's page as everyone sees it. One who wrote nothing has an empty one.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Profile {
    pub user_id: UserId,
    pub username: String,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub bio: Option<String>,
    pub skills: Vec<String>,
    pub experience: Option<String>,
    pub portfolio: Vec<PortfolioItem>,
    pub rating: Rating,
    pub completed_orders: i64,
    /// When the freelancer last changed it; of an empty one when the account was opened.
    pub updated_at: Time,
    /// 0 as long as nothing was written.
    #[serde(skip)]
    pub version: i64,
}

impl Profile {
    /// The profile as the form wants it.
    pub fn changed(&self, form: ChangeProfile) -> Self {
        let mut profile = self.clone();
        let given = |text: Option<Text<NameLimits>>| text.map(Text::into_string);
        let prose = |text: Option<Text<ProseLimits>>| text.map(Text::into_string);
        profile.first_name = form.first_name.given().map_or(profile.first_name, given);
        profile.last_name = form.last_name.given().map_or(profile.last_name, given);
        profile.bio = form.bio.given().map_or(profile.bio, prose);
        profile.experience = form.experience.given().map_or(profile.experience, prose);
        profile.skills = form.skills.given().map_or(profile.skills, |Skills(skills)| skills);
        profile
    }
}
