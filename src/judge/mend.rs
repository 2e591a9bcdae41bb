//! What turns out later: groups that are one, and sources that are in the wrong one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::rc::Rc;

use crate::campaign::{Aim, Campaign, LIST_ASKED, LIST_LACKS, Source, Tried};
use crate::pace::Pace;
use crate::store::StoreError;
use crate::untrusted::Untrusted;

use super::Judge;
use super::group::{DAY, HOUR, LONGEST};

/// Attackers at one provider that were seen within such a time work at the same hours.
pub(super) const NESTING: i64 = 2 * HOUR;

/// Where an attacker is at home: the number of the only network it comes from.
fn nest_of(campaign: &Campaign) -> Option<u32> {
    let number = campaign.network.filter(|number| *number != 0)?;
    (campaign.heavy > 0 && campaign.names >= 4).then_some(number)
}

impl Judge<'_> {
    pub(super) fn join(&mut self, one: Campaign, other: Campaign) -> Result<Campaign, StoreError> {
        if one.id == other.id {
            return Ok(one);
        }
        let gone = one.id.max(other.id);
        let mut merged = self.book.merge(one, other)?;
        self.show(&mut merged);
        self.book.put_campaign(merged.clone());
        self.forget(gone);
        self.remember(&merged);
        Ok(merged)
    }

    pub(super) fn forget(&mut self, group: i64) {
        for groups in self.groups.values_mut() {
            groups.remove(&group);
        }
    }

    /// Takes in bots that tried the same names before there was a group to join.
    pub(super) fn absorb(&mut self, campaign: Campaign) -> Result<Campaign, StoreError> {
        let mut campaign = campaign;
        for id in self.book.strays(campaign.id, campaign.first - 2 * DAY)? {
            let Some(stray) = self.book.campaign(id)? else { continue };
            let fits = (stray.tool == campaign.tool || stray.names > 1)
                && stray.spelling.is_like(campaign.spelling);
            if stray.id != campaign.id && fits {
                campaign = self.join(campaign, Rc::unwrap_or_clone(stray))?;
            }
        }
        Ok(campaign)
    }

    /// A bot that tries much is an attacker of its own, unless it tries what its group does.
    pub(super) fn part(
        &mut self,
        campaign: Campaign,
        (address, source): (IpAddr, &Source),
        tried: &Tried,
    ) -> Result<Campaign, StoreError> {
        if campaign.sources < 2 {
            return self.nest(campaign, tried);
        }
        let near = self.book.neighbour(tried.address)?;
        let mut shared = 0;
        for name in source.names.iter() {
            let aim = self.book.aim(name, &campaign)?;
            shared += usize::from(aim.is_some_and(|aim| aim.sources > 1));
        }
        let is_near = near.is_some() && !campaign.is_light();
        // One that tries much more often than the others is not one of them.
        let others = (campaign.failures - source.failures) / (campaign.sources - 1).max(1);
        let is_alike = !campaign.is_light() || source.failures <= 4 * others.max(1);
        if is_near || (is_alike && shared * 10 >= source.names.len() * 6) {
            return Ok(campaign);
        }
        let mut own = Campaign {
            id: self.book.new_id(),
            number: None,
            joined: None,
            first: source.first,
            last: source.last,
            failures: source.failures,
            sources: 1,
            heavy: 1,
            names: 0,
            is_crowd: false,
            pace: Pace::default(),
            network: Some(tried.network.as_ref().map_or(0, |network| network.number)),
            spelling: campaign.spelling.share(source.failures, campaign.failures),
            ..campaign.clone()
        };
        self.take_out((address, source), tried)?;
        let each = (source.failures / source.names.len().max(1) as u64).max(1);
        for name in source.names.iter() {
            own.names += 1;
            let (first, last) = (source.first, source.last);
            let aim = Aim { campaign: own.id, first, last, failures: each, sources: 1 };
            self.book.put_aim(name, aim);
        }
        self.book.count_place(own.id, tried, 1);
        self.show(&mut own);
        self.book.put_campaign(own.clone());
        self.book.put_source(address, Source { campaign: own.id, ..source.clone() });
        self.note_neighbour(&own, tried);
        self.nest(own, tried)
    }

    /// Notes where an attacker is at home.
    pub(super) fn remember_nest(&mut self, campaign: &Campaign) {
        if let Some(number) = nest_of(campaign) {
            self.nests.entry(number).or_default().insert(campaign.id);
        }
    }

    /// Attackers that began within a day and work at the same hours, at one provider and with the same
    /// tool, are one.
    pub(super) fn nest(
        &mut self,
        campaign: Campaign,
        tried: &Tried,
    ) -> Result<Campaign, StoreError> {
        let number = tried.network.as_ref().map_or(0, |network| network.number);
        if number == 0 || campaign.names < 4 {
            return Ok(campaign);
        }
        // What they are is asked anew, so that it does not matter which of them came here before.
        let mut nest = BTreeSet::new();
        let mut latest: Option<Rc<Campaign>> = None;
        for id in self.nests.remove(&number).unwrap_or_default() {
            let Some(other) = self.book.campaign(id)? else { continue };
            if nest_of(&other) != Some(number) || tried.time - other.last > NESTING {
                continue;
            }
            nest.insert(other.id);
            if other.id != campaign.id
                && other.tool == campaign.tool
                && other.spelling.is_like(campaign.spelling)
                && (campaign.first - other.first).abs() <= DAY
                && latest.as_ref().is_none_or(|latest| latest.last < other.last)
            {
                latest = Some(other);
            }
        }
        self.nests.insert(number, nest);
        let campaign = match latest {
            Some(other) => self.join(campaign, Rc::unwrap_or_clone(other))?,
            None => campaign,
        };
        self.remember_nest(&campaign);
        Ok(campaign)
    }

    /// Takes a source out of its campaign.
    pub(super) fn take_out(
        &mut self,
        (address, source): (IpAddr, &Source),
        tried: &Tried,
    ) -> Result<(), StoreError> {
        let Some(campaign) = self.book.campaign(source.campaign)? else { return Ok(()) };
        let mut campaign = Rc::unwrap_or_clone(campaign);
        // How each source writes is not known: as the others, mostly.
        let gone = campaign.spelling.share(source.failures, campaign.failures);
        campaign.spelling.full = campaign.spelling.full.saturating_sub(gone.full);
        campaign.spelling.bare = campaign.spelling.bare.saturating_sub(gone.bare);
        campaign.failures = campaign.failures.saturating_sub(source.failures);
        campaign.sources = campaign.sources.saturating_sub(1);
        campaign.heavy = campaign.heavy.saturating_sub(u64::from(source.is_heavy()));
        let each = (source.failures / source.names.len().max(1) as u64).max(1);
        for name in source.names.iter() {
            let Some(aim) = self.book.aim(name, &campaign)? else { continue };
            if aim.sources <= 1 {
                campaign.names = campaign.names.saturating_sub(1);
                self.book.remove_aims(name, &[campaign.id])?;
                continue;
            }
            let failures = aim.failures.saturating_sub(each);
            self.book.put_aim(name, Aim { failures, sources: aim.sources - 1, ..aim });
        }
        if !self.is_large(&campaign) {
            // So little is left of it that it was a mistake.
            campaign.number = None;
        }
        self.book.count_place(campaign.id, tried, -1);
        log::debug!("{address} is no part of campaign {} any more", campaign.id);
        self.book.put_campaign(campaign);
        Ok(())
    }

    /// Attackers with the same long list are one.
    pub(super) fn share_list(
        &mut self,
        campaign: Campaign,
        source: &Source,
        tried: &Tried,
    ) -> Result<Campaign, StoreError> {
        // Of a crowd, or of bots that try little each, one that does more says nothing about the others.
        if campaign.is_crowd || campaign.is_light() {
            return Ok(campaign);
        }
        let names = &source.names;
        // Who shares four fifths of the names has one of any three of twelve, and three of any five:
        // so most need not be looked at.
        let mut shared = HashMap::<i64, usize>::new();
        for name in names.iter().take(LIST_ASKED) {
            let aims = self.book.aims(name)?;
            for aim in aims.iter().filter(|aim| tried.time - aim.last <= LONGEST) {
                *shared.entry(aim.campaign).or_default() += 1;
            }
        }
        let mut seen = BTreeSet::from([campaign.id]);
        for name in names.iter().take(LIST_LACKS + 1) {
            for aim in self.book.aims(name)?.iter() {
                let may_be =
                    shared.get(&aim.campaign).is_some_and(|it| it + LIST_LACKS >= LIST_ASKED);
                if tried.time - aim.last > LONGEST || !may_be || !seen.insert(aim.campaign) {
                    continue;
                }
                let Some(other) = self.book.campaign(aim.campaign)? else { continue };
                let fits = other.tool == campaign.tool
                    && other.spelling.is_like(campaign.spelling)
                    && !other.is_light()
                    && !other.is_crowd;
                if other.id == campaign.id || !fits || tried.time - other.last > 3 * DAY {
                    continue;
                }
                if self.tries_most(&other, names)? {
                    return self.join(campaign, Rc::unwrap_or_clone(other));
                }
            }
        }
        Ok(campaign)
    }

    /// Whether a campaign has the list of `names`.
    fn tries_most(&mut self, campaign: &Campaign, names: &[Untrusted]) -> Result<bool, StoreError> {
        let mut lacks = 0;
        for name in names {
            lacks += usize::from(self.book.aim(name, campaign)?.is_none());
            if lacks > LIST_LACKS {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Groups of bots that try the same names, or that began together, are one.
    pub(super) fn begin_together(&mut self, campaign: Campaign) -> Result<(), StoreError> {
        // Rare enough to cost nothing, often enough for the pace to become clear.
        let is_checkpoint = matches!(
            campaign.sources,
            3..=6 | 8 | 10 | 13 | 17 | 22 | 30 | 40 | 60 | 80 | 120 | 200
        );
        if !is_checkpoint || campaign.is_crowd || !campaign.is_light() {
            return Ok(());
        }
        let campaign = self.absorb(campaign)?;
        let list = self.book.list_of(campaign.id, campaign.sources)?;
        let shared = self.shared(&list, campaign.last)?;
        let ids: Vec<_> = self.groups.values().flatten().copied().collect();
        for id in ids.into_iter().filter(|id| *id != campaign.id) {
            let Some(other) = self.book.campaign(id)? else { continue };
            if other.id != id || !other.may_go_on(campaign.last) || !other.is_light() {
                self.forget(id);
                continue;
            }
            if !other.spelling.is_like(campaign.spelling) {
                continue;
            }
            let of_other = shared.get(&id).into_iter().flatten();
            let names = of_other.filter(|sources| **sources * 20 >= other.sources).count();
            if self.is_same_list((&campaign, list.len()), &other, names)?
                || self.began_together(&campaign, &other)
            {
                self.join(campaign, Rc::unwrap_or_clone(other))?;
                return Ok(());
            }
        }
        Ok(())
    }

    /// The campaigns of which several sources try names of a list, and for each of these names how many.
    fn shared(
        &mut self,
        list: &[Untrusted],
        time: i64,
    ) -> Result<BTreeMap<i64, Vec<u64>>, StoreError> {
        let mut shared = BTreeMap::<i64, Vec<u64>>::new();
        let counts = |aim: &&Aim| aim.sources > 1 && time - aim.last <= LONGEST;
        for name in list {
            for aim in self.book.aims(name)?.iter().filter(counts) {
                shared.entry(aim.campaign).or_default().push(aim.sources);
            }
        }
        Ok(shared)
    }

    /// Whether two campaigns try the very same names: `mine` and `shared` are how many there are.
    fn is_same_list(
        &mut self,
        (campaign, mine): (&Campaign, usize),
        other: &Campaign,
        shared: usize,
    ) -> Result<bool, StoreError> {
        if shared < 2 {
            return Ok(false);
        }
        let others = self.book.list_of(other.id, other.sources)?.len();
        let is_most_of_one = shared >= 3 && shared * 10 >= mine.min(others) * 7;
        let is_all_of_both = campaign.tool == other.tool && shared == mine.max(others);
        Ok(is_most_of_one || is_all_of_both)
    }

    /// Whether two campaigns with the same tool began together and go on at the same pace.
    fn began_together(&self, campaign: &Campaign, other: &Campaign) -> bool {
        let number = |it: u64| i64::try_from(it).unwrap_or(i64::MAX).max(1);
        let gap = |it: &Campaign| (it.last - it.first) / number(it.sources - 1);
        let (one, two) = (gap(campaign), gap(other));
        // Of what begins, the first is seen after a gap or two.
        let slack = 3 * (one + two);
        let together = (campaign.first - other.first).abs() <= slack + HOUR / 2;
        // Each name has its share.
        let (one, two) = (one * number(campaign.names), two * number(other.names));
        let same_pace = one.max(two) <= 3 * one.min(two).max(1);
        let are_many = campaign.sources.min(other.sources) >= 4;
        // What ran when we began to look began we do not know when; but where each bot tries once,
        // nothing else could tell.
        let is_once = |it: &Campaign| {
            it.sources >= 10 && it.names <= 2 && it.failures * 10 <= it.sources * 12
        };
        let is_known = self.known_for(campaign.first.min(other.first)) > slack
            || (is_once(campaign) && is_once(other));
        campaign.tool == other.tool && are_many && together && same_pace && is_known
    }
}
