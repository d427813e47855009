//! The trades of the market, one file each: what is offered, how its people speak of their work, and what their
//! buyers ask, praise and complain about.

mod bookkeeping;
mod copywriting;
mod data_analysis;
mod illustration;
mod logo_design;
mod marketing;
mod mobile_apps;
mod music;
mod translation;
mod video_editing;
mod voice_over;
mod web_development;

use super::voice::Words;

/// One trade. Sentences may hold slots (see `voice`); lists of words are written `one|two|three`.
#[derive(Debug)]
pub struct Trade {
    /// The listing's category.
    pub category: &'static str,
    /// What somebody in this trade is called, in the middle of a sentence.
    pub doer: &'static str,
    pub(super) skills: &'static str,
    pub(super) words: Words,
    pub(super) patterns: &'static [Pattern],
    /// What every listing of the trade includes.
    pub(super) promises: &'static [&'static str],
    pub(super) bios: &'static [&'static str],
    pub(super) careers: &'static [&'static str],
    /// Titles and descriptions of past work.
    pub(super) works: &'static [(&'static str, &'static str)],
    /// What buyers add to their request.
    pub(super) details: &'static [&'static str],
    pub(super) deliveries: &'static [&'static str],
    pub(super) changes: &'static [&'static str],
    pub(super) faults: &'static [&'static str],
    pub(super) praise: &'static [&'static str],
    pub(super) gripes: &'static [&'static str],
}

/// One thing offered, before its words are picked.
#[derive(Debug)]
pub(super) struct Pattern {
    pub title: &'static str,
    pub pitch: &'static str,
    /// What a buyer of this writes.
    pub ask: &'static str,
    pub tags: &'static str,
    /// Lowest and highest, in whole units of the currency.
    pub price: (i64, i64),
    pub days: (u16, u16),
}

/// Every trade there is, the busiest first.
pub const TRADES: &[&Trade] = &[
    &web_development::TRADE,
    &logo_design::TRADE,
    &copywriting::TRADE,
    &translation::TRADE,
    &video_editing::TRADE,
    &illustration::TRADE,
    &marketing::TRADE,
    &data_analysis::TRADE,
    &music::TRADE,
    &voice_over::TRADE,
    &mobile_apps::TRADE,
    &bookkeeping::TRADE,
];
