//! Which sources belong together.
//!
//! A source stays in its campaign. A new one joins by what is nearest: its neighbourhood, then bots
//! that try the same name with the same tool, then a crowd that has nothing in common but tool and
//! time. What turns out later is mended: a bot that goes on to try many names is an attacker of its own,
//! and two groups of bots are one if their sources cross, or if they began together at the same pace.

use std::rc::Rc;
use std::sync::Arc;

use crate::campaign::{Aim, Campaign, NAMES, Source, Tried, source_of};
use crate::pace::Pace;
use crate::store::StoreError;
use crate::store::casebook::Neighbour;
use crate::user_name::{Spelling, UNKNOWN, has_domain, is_common};

use super::{Judge, Manner};

pub(super) const HOUR: i64 = 3600;
pub(super) const DAY: i64 = 24 * HOUR;
/// The longest patience of a campaign, and for how long a source is remembered.
pub(super) const LONGEST: i64 = 30 * DAY;
/// So many sources make a group of bots.
pub(super) const GROUP: u64 = 3;
/// So many sources by themselves within a day are a crowd.
const CROWD: usize = 20;
/// Sources that cross from and to so many names make two groups one.
const CROSSINGS: u64 = 2;

impl Judge<'_> {
    /// Puts a failure into its campaign.
    pub(super) fn group(&mut self, tried: &Tried) -> Result<(), StoreError> {
        let address = source_of(tried.address);
        let known = self.book.source(address)?;
        let known = known.filter(|source| tried.time - source.last <= LONGEST);
        let (source, mut campaign) = match known {
            Some(source) => match self.book.campaign(source.campaign)? {
                Some(campaign) => (Some(source), Rc::unwrap_or_clone(campaign)),
                None => (None, self.place(tried)?),
            },
            None => (None, self.place(tried)?),
        };
        let is_new = source.is_none();
        let mut source = source.map_or_else(
            || Source {
                campaign: campaign.id,
                first: tried.time,
                last: tried.time,
                failures: 0,
                pace: Pace::default(),
                names: Arc::default(),
            },
            Rc::unwrap_or_clone,
        );
        if is_new {
            campaign.sources += 1;
            self.book.count_place(campaign.id, tried, 1);
        }
        let was_heavy = source.is_heavy();
        let name = &tried.name;
        let is_new_name = !source.names.contains(name);
        let crossed =
            if is_new || !is_new_name { None } else { self.crossed(&campaign, &source, tried)? };
        let counts_as_source = is_new || (is_new_name && source.names.len() < NAMES);
        self.aim(&mut campaign, tried, counts_as_source)?;
        let completes_list = source.completes_list(name);
        if is_new_name && source.names.len() < NAMES {
            Arc::make_mut(&mut source.names).push(name.clone());
        }
        source.campaign = campaign.id;
        count(&mut campaign, &mut source, tried);
        if campaign.sources == 1 && campaign.spelling.is_first_of_two(tried.user.as_ref()) {
            let singles = self.singles.entry(manner_of(tried)).or_default();
            singles.push_back((campaign.id, campaign.first));
        }
        let is_heavy_now = source.is_heavy() && !was_heavy;
        campaign.heavy += u64::from(is_heavy_now);
        self.show(&mut campaign);
        self.book.put_campaign(campaign.clone());
        self.book.put_source(address, source.clone());
        self.note_neighbour(&campaign, tried);
        self.remember_growth(&campaign, is_new);
        self.remember_nest(&campaign);
        if let Some(other) = crossed {
            campaign = self.join(campaign, other)?;
        }
        if is_heavy_now {
            campaign = self.part(campaign, (address, &source), tried)?;
        }
        if completes_list {
            campaign = self.share_list(campaign, &source, tried)?;
        }
        if is_new {
            self.begin_together(campaign)?;
        }
        Ok(())
    }

    /// The campaign that a new source is part of; a new one if nothing is near.
    fn place(&mut self, tried: &Tried) -> Result<Campaign, StoreError> {
        if let Some(campaign) = self.near(tried)? {
            return Ok(campaign);
        }
        if let Some(campaign) = self.same_aim(tried)? {
            return Ok(campaign);
        }
        if let Some(crowd) = self.crowd(tried)? {
            return Ok(Rc::unwrap_or_clone(crowd));
        }
        let id = self.book.new_id();
        let campaign = Campaign {
            id,
            number: None,
            joined: None,
            tool: tried.tool.clone(),
            first: tried.time,
            last: tried.time,
            failures: 0,
            sources: 0,
            heavy: 0,
            names: 0,
            is_crowd: false,
            pace: Pace::default(),
            network: None,
            spelling: Spelling::default(),
        };
        self.book.put_campaign(campaign.clone());
        self.gather(campaign, tried)
    }

    /// The newest crowd that a new source may be of.
    fn crowd(&mut self, tried: &Tried) -> Result<Option<Rc<Campaign>>, StoreError> {
        let Some(crowds) = self.crowds.get_mut(&tried.tool) else { return Ok(None) };
        let mut found = None;
        let mut over = Vec::new();
        for id in crowds.iter().rev() {
            let crowd = self.book.campaign(*id)?;
            if crowd.as_ref().is_none_or(|crowd| !crowd.may_go_on(tried.time)) {
                over.push(*id);
            } else if let Some(crowd) = crowd.filter(|crowd| crowd.takes(tried)) {
                found = Some(crowd);
                break;
            }
        }
        crowds.retain(|id| !over.contains(id));
        Ok(found)
    }

    /// The campaign that was just seen next door with the same tool.
    fn near(&mut self, tried: &Tried) -> Result<Option<Campaign>, StoreError> {
        let near = self.book.neighbour(tried.address)?;
        let Some(near) = near.filter(|near| tried.time - near.last <= 2 * DAY) else {
            return Ok(None);
        };
        let campaign = self.book.campaign(near.campaign)?;
        let campaign = campaign.filter(|it| it.takes(tried));
        Ok(campaign.map(Rc::unwrap_or_clone))
    }

    /// Notes that a campaign was seen at an address.
    pub(super) fn note_neighbour(&mut self, campaign: &Campaign, tried: &Tried) {
        let neighbour = Neighbour { campaign: campaign.id, last: tried.time };
        self.book.note_neighbour(tried.address, neighbour);
    }

    /// The bots that try the same name with the same tool.
    fn same_aim(&mut self, tried: &Tried) -> Result<Option<Campaign>, StoreError> {
        let name = &tried.name;
        if name.as_bytes() == UNKNOWN {
            return Ok(None);
        }
        let mut best: Option<((u64, i64), Rc<Campaign>)> = None;
        let mut over = Vec::new();
        for aim in self.book.aims(name)?.iter() {
            // No campaign rests for so long.
            if tried.time - aim.last > LONGEST {
                continue;
            }
            let Some(campaign) = self.book.campaign(aim.campaign)? else { continue };
            let is_over = !campaign.may_go_on(tried.time);
            // What never became a campaign need not be looked at again.
            if is_over && campaign.number.is_none() && campaign.sources < GROUP {
                over.push(aim.campaign);
            }
            let fresh = campaign.sources >= GROUP || tried.time - aim.last <= DAY;
            let fits = campaign.takes(tried) && campaign.is_light() && !campaign.is_crowd;
            // A bot may stray; what a twentieth of them try is what they want.
            let is_meant = aim.sources * 20 >= campaign.sources;
            if !fits || !fresh || !is_meant {
                continue;
            }
            let rank = (aim.sources, aim.last);
            if best.as_ref().is_none_or(|(known, _)| *known < rank) {
                best = Some((rank, campaign));
            }
        }
        if !over.is_empty() {
            self.book.remove_aims(name, &over)?;
        }
        Ok(best.map(|(_, campaign)| Rc::unwrap_or_clone(campaign)))
    }

    /// Makes a crowd of sources by themselves if there are many within a day.
    fn gather(&mut self, new: Campaign, tried: &Tried) -> Result<Campaign, StoreError> {
        let singles = self.singles.entry(manner_of(tried)).or_default();
        while singles.front().is_some_and(|(_, time)| tried.time - time > DAY) {
            singles.pop_front();
        }
        singles.push_back((new.id, tried.time));
        if singles.len() < CROWD {
            return Ok(new);
        }
        let ids: Vec<_> = singles.drain(..).map(|(id, _)| id).collect();
        let mut alone = Vec::new();
        for id in ids.into_iter().filter(|id| *id != new.id) {
            if let Some(campaign) = self.book.campaign(id)?
                && campaign.sources == 1
                && campaign.heavy == 0
                && alone.iter().all(|it: &Rc<Campaign>| it.id != campaign.id)
            {
                alone.push(campaign);
            }
        }
        if alone.len() + 1 < CROWD {
            let singles = self.singles.entry(manner_of(tried)).or_default();
            singles.extend(alone.iter().map(|it| (it.id, it.first)));
            singles.push_back((new.id, tried.time));
            return Ok(new);
        }
        let mut crowd = new;
        for campaign in alone {
            crowd = self.book.merge(crowd, Rc::unwrap_or_clone(campaign))?;
        }
        crowd.is_crowd = true;
        self.book.put_campaign(crowd.clone());
        self.crowds.entry(crowd.tool.clone()).or_default().push(crowd.id);
        Ok(crowd)
    }

    /// Counts what a campaign does to a name.
    fn aim(
        &mut self,
        campaign: &mut Campaign,
        tried: &Tried,
        is_new: bool,
    ) -> Result<(), StoreError> {
        let aim = if let Some(known) = self.book.aim(&tried.name, campaign)? {
            Aim {
                failures: known.failures + 1,
                sources: known.sources + u64::from(is_new),
                last: known.last.max(tried.time),
                ..known
            }
        } else {
            campaign.names += 1;
            let (first, last) = (tried.time, tried.time);
            Aim { campaign: campaign.id, first, last, failures: 1, sources: 1 }
        };
        self.book.put_aim(&tried.name, aim);
        Ok(())
    }

    /// Gives a campaign its number when it is worth showing.
    pub(super) fn show(&mut self, campaign: &mut Campaign) {
        if campaign.number.is_none() && self.is_large(campaign) {
            campaign.number = Some(self.book.new_number());
        }
    }

    pub(super) fn is_large(&self, campaign: &Campaign) -> bool {
        campaign.sources >= self.thresholds.campaign_sources
            || campaign.failures >= self.thresholds.campaign_failures
    }

    fn remember_growth(&mut self, campaign: &Campaign, is_new: bool) {
        if is_new && campaign.sources >= GROUP && campaign.is_light() && !campaign.is_crowd {
            self.groups.entry(campaign.tool.clone()).or_default().insert(campaign.id);
        }
    }

    /// Another group whose name a bot of this one goes on to try, if enough have.
    fn crossed(
        &mut self,
        campaign: &Campaign,
        source: &Source,
        tried: &Tried,
    ) -> Result<Option<Campaign>, StoreError> {
        let name = &tried.name;
        let says_nothing = name.as_bytes() == UNKNOWN || is_common(name);
        if campaign.is_crowd || !campaign.is_light() || says_nothing {
            return Ok(None);
        }
        // A name that both try says nothing: everybody tries `admin`.
        if self.book.aim(name, campaign)?.is_some() {
            return Ok(None);
        }
        for aim in self.book.aims(name)?.iter().filter(|aim| tried.time - aim.last <= LONGEST) {
            let Some(other) = self.book.campaign(aim.campaign)? else { continue };
            let fits = other.is_light() && !other.is_crowd;
            if other.id == campaign.id || !fits || other.sources < 2 || !other.may_go_on(tried.time)
            {
                continue;
            }
            let mut is_shared = false;
            for earlier in source.names.iter() {
                is_shared = is_shared || self.book.aim(earlier, &other)?.is_some();
            }
            // By a name that everybody tries, a bot may have come to the wrong group.
            let before = source.names.first().filter(|name| !is_common(name));
            let Some(before) = before.filter(|_| !is_shared && aim.sources > 1) else { continue };
            if self.book.aim(before, campaign)?.is_none_or(|own| own.sources <= 2) {
                continue;
            }
            let pair = (campaign.id, other.id);
            let (befores, names) = self.book.count_crossing(pair, (before, name))?;
            let is_like = campaign.spelling.is_like(other.spelling);
            if befores.min(names) >= CROSSINGS && is_like {
                return Ok(Some(Rc::unwrap_or_clone(other)));
            }
        }
        Ok(None)
    }
}

/// What a failure tells of a tool.
fn manner_of(tried: &Tried) -> Manner {
    (tried.tool.clone(), tried.user.as_ref().is_some_and(has_domain))
}

/// Counts one more failure of a source in its campaign.
fn count(campaign: &mut Campaign, source: &mut Source, tried: &Tried) {
    if campaign.failures > 0 {
        campaign.pace.add(tried.time - campaign.last);
    }
    let network = tried.network.as_ref().map_or(0, |network| network.number);
    if campaign.network != Some(network) {
        campaign.network = if campaign.failures == 0 { Some(network) } else { None };
    }
    if source.failures > 0 {
        source.pace.add(tried.time - source.last);
    }
    source.failures += 1;
    source.last = source.last.max(tried.time);
    campaign.spelling.add(tried.user.as_ref());
    campaign.failures += 1;
    campaign.last = campaign.last.max(tried.time);
}
