//! What it means: who attacks and with whom, which failures are the users' own, who may have got in.
//!
//! A projection of the store: failures and logins are taken in the order of their time, each once, and
//! what they mean is committed with how far that went. So whatever stops it, the next run goes on.

mod group;
mod mend;
mod own;
mod theft;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::campaign::{Campaign, PATIENCE, Tried};
use crate::origin::{AutonomousSystem, Country};
use crate::store::allowed::AllowList;
use crate::store::casebook::{Ahead, Casebook, News, Room, ToJudge};
use crate::store::{Store, StoreError};
use crate::user_name::Spelling;

/// Failures that are read at a time.
const CHUNK: usize = 1_000;
/// So often that is done in one transaction: each writes most pages of a large store anew.
const CHUNKS: u32 = 20;

/// The thresholds of section `[judge]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// So many sources make a campaign worth showing, or
    pub campaign_sources: u64,
    /// so many failures.
    pub campaign_failures: u64,
    /// For so many days a network is a user's own after a login from there.
    pub own_days: i64,
    /// When an account was last somewhere is noted anew after so many seconds: to write it each time
    /// would cost a page for each login, and it matters by days. Far less than it is kept.
    pub slack: i64,
    /// So many messages a day from a new place are a jump.
    pub many_messages: u64,
    /// So many networks within a day that an account never came from are many.
    pub many_networks: u64,
}

/// Where an address is, and in whose network.
pub type Whence<'w> = &'w mut dyn FnMut(IpAddr) -> (Option<Country>, Option<AutonomousSystem>);

/// Begins to read what [`judge`] will ask for; for who has something else to do before.
pub fn read_ahead(store: &Store) -> Result<Option<Ahead>, StoreError> {
    store.read_ahead(CHUNK, group::LONGEST)
}

/// Judges all that is new in `store`, of which some was read ahead; false if it was asked to stop.
pub fn judge(
    store: &mut Store,
    mut ahead: Option<Ahead>,
    (thresholds, zone, room): (&Thresholds, &TimeZone, Room),
    whence: Whence<'_>,
    stop: &dyn Fn() -> bool,
) -> Result<bool, StoreError> {
    let allowed = store.allow_list()?;
    if store.is_judged()? {
        return Ok(true);
    }
    let mut judge = Judge::new(store.open_casebook(room)?, &allowed, thresholds, zone)?;
    let (start, mut failures, mut logins) = (std::time::Instant::now(), 0, 0);
    while !stop() {
        judge.book.begin()?;
        let mut is_done = false;
        let mut known = match ahead.take() {
            Some(ahead) => judge.book.take(ahead)?,
            None => None,
        };
        for _ in 0..CHUNKS {
            let (tried, news, is_last) = judge.read(known.take())?;
            failures += tried.len();
            logins += news.len();
            judge.go(tried, news, whence)?;
            is_done = is_last;
            if is_done {
                judge.after = judge.book.latest_failure()?.max(judge.after);
                break;
            }
        }
        judge.book.commit((judge.after, judge.after_news), judge.beginning)?;
        if is_done {
            let milliseconds = start.elapsed().as_millis();
            log::debug!("judged {failures} failures and {logins} logins in {milliseconds} ms");
            return Ok(true);
        }
    }
    Ok(false)
}

/// A tool, and whether it writes names with a domain.
type Manner = (String, bool);

/// What judges.
struct Judge<'s> {
    book: Casebook<'s>,
    /// Whom the administrator vouches for.
    allowed: &'s AllowList,
    thresholds: &'s Thresholds,
    zone: &'s TimeZone,
    /// The failure up to which all was judged.
    after: i64,
    /// The news up to which all was: time and row.
    after_news: (i64, i64),
    /// The time of the first thing that is known: what runs then may have begun before.
    beginning: Option<i64>,
    /// Campaigns of bots that may go on, by what they work with.
    groups: BTreeMap<String, BTreeSet<i64>>,
    /// Sources by themselves of late, by what they work with; who writes names both ways is in two.
    singles: HashMap<Manner, VecDeque<(i64, i64)>>,
    /// Crowds that may go on, by their tool; the newest last.
    crowds: HashMap<String, Vec<i64>>,
    /// Attackers of late by network.
    nests: HashMap<u32, BTreeSet<i64>>,
    /// The day of the last failure: from, up to.
    today: Option<(i64, i64, Date)>,
}

impl<'s> Judge<'s> {
    fn new(
        book: Casebook<'s>,
        allowed: &'s AllowList,
        thresholds: &'s Thresholds,
        zone: &'s TimeZone,
    ) -> Result<Self, StoreError> {
        let (after, beginning) = book.judged_so_far()?;
        let mut judge = Self {
            book,
            allowed,
            thresholds,
            zone,
            after,
            after_news: (i64::MIN, 0),
            beginning,
            groups: BTreeMap::new(),
            singles: HashMap::new(),
            crowds: HashMap::new(),
            nests: HashMap::new(),
            today: None,
        };
        let latest = judge.book.latest_campaign()?;
        let times = (latest - PATIENCE, latest - group::DAY, latest - mend::NESTING);
        for campaign in judge.book.active_campaigns(times)? {
            if campaign.may_go_on(latest) {
                judge.remember(&campaign);
            }
            judge.remember_nest(&campaign);
        }
        Ok(judge)
    }

    /// Puts a campaign where those that may go on are looked for.
    fn remember(&mut self, campaign: &Campaign) {
        let Campaign { id, tool, .. } = campaign;
        if campaign.is_crowd {
            let crowds = self.crowds.entry(tool.clone()).or_default();
            if !crowds.contains(id) {
                crowds.push(*id);
            }
        } else if campaign.is_light() && campaign.sources >= group::GROUP {
            self.groups.entry(tool.clone()).or_default().insert(*id);
        } else if campaign.sources == 1 && campaign.heavy == 0 {
            let Spelling { full, bare } = campaign.spelling;
            for has_domain in [false, true] {
                if (has_domain && full > 0) || (!has_domain && (bare > 0 || full == 0)) {
                    let singles = self.singles.entry((tool.clone(), has_domain)).or_default();
                    singles.push_back((*id, campaign.first));
                }
            }
        }
    }

    /// For how long the log has been known at `time`.
    fn known_for(&self, time: i64) -> i64 {
        time - self.beginning.unwrap_or(time)
    }

    /// Reads what is to be judged next, but for what is `known`, and whether that is all.
    fn read(
        &mut self,
        known: Option<ToJudge>,
    ) -> Result<(Vec<Tried>, Vec<News>, bool), StoreError> {
        let (tried, news) = known.map_or((None, None), |(tried, news)| (Some(tried), Some(news)));
        let mut tried = tried.map_or_else(|| self.book.tried(self.after, CHUNK), Ok)?;
        let last = if tried.len() < CHUNK { None } else { tried.last() };
        // What went well later waits for the failures before it, and the other way round.
        let until = last.map_or(i64::MAX, |tried| tried.time);
        let news = match news {
            Some(mut news) => {
                news.retain(|news| news.first <= until);
                news
            }
            None => self.book.news(self.after_news, until, CHUNK)?,
        };
        let is_last = last.is_none() && news.len() < CHUNK;
        if let Some(latest) = news.last().filter(|_| news.len() >= CHUNK) {
            let later = tried.iter().position(|tried| tried.time > latest.first);
            tried.truncate(later.unwrap_or(tried.len()));
        }
        self.after = tried.last().map_or(self.after, |tried| tried.id);
        self.after_news = news.last().map_or(self.after_news, |news| (news.first, news.id));
        Ok((tried, news, is_last))
    }

    /// Judges failures and logins in the order of their times.
    fn go(
        &mut self,
        tried: Vec<Tried>,
        news: Vec<News>,
        whence: Whence<'_>,
    ) -> Result<(), StoreError> {
        let first = |one: Option<i64>, other: Option<i64>| one.into_iter().chain(other).min();
        let new = first(tried.first().map(|it| it.time), news.first().map(|it| it.first));
        self.beginning = first(self.beginning, new);
        let mut news = news.into_iter().peekable();
        for tried in tried {
            while let Some(news) = news.next_if(|news| news.first < tried.time) {
                self.login(&news, whence)?;
                self.book.breathe()?;
            }
            self.failure(&tried)?;
            self.book.breathe()?;
        }
        for news in news {
            self.login(&news, whence)?;
            self.book.breathe()?;
        }
        Ok(())
    }

    fn failure(&mut self, tried: &Tried) -> Result<(), StoreError> {
        self.book.look_back_to(tried.time - group::LONGEST)?;
        let day = self.day(tried.time);
        self.book.count_day(&tried.name, day);
        if let Some(because) = self.is_own(tried)? {
            return self.note_own(tried, because);
        }
        self.group(tried)
    }

    /// The local day of a failure; most are of the same as the one before.
    fn day(&mut self, time: i64) -> Date {
        if let Some((from, to, day)) = self.today
            && (from..to).contains(&time)
        {
            return day;
        }
        let at = Timestamp::from_second(time).unwrap_or_default().to_zoned(self.zone.clone());
        let second = |at: Result<Zoned, jiff::Error>| at.map(|at| at.timestamp().as_second());
        if let (Ok(from), Ok(to)) =
            (second(at.start_of_day()), second(at.tomorrow().and_then(|at| at.start_of_day())))
        {
            self.today = Some((from, to, at.date()));
        }
        at.date()
    }
}
