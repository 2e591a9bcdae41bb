//! Accounts that somebody else may log in to.
//!
//! A user who travels has a new country, one whose account is attacked has failures, one who sends a
//! newsletter has many messages: each of these alone is no theft. docs/detection.md tells which of them
//! together are, and how often that is wrong.

use std::collections::BTreeSet;

use crate::campaign::{Been, MANY_FAILURES, Own, Source, source_of};
use crate::finding::{Evidence, Sign};
use crate::origin::{AutonomousSystem, Country};
use crate::store::StoreError;
use crate::store::casebook::News;
use crate::store::casebook::findings::Visit;
use crate::store::casebook::thieves::Thief;
use crate::untrusted::Untrusted;
use crate::user_name::{is_same, name_of};

use super::group::{self, DAY};
use super::own::SHARED;
use super::{Judge, Whence};

/// What an account does is known after so many days.
const ACQUAINTED: i64 = 2 * DAY;
/// Where its user lives is known after so many days.
const SETTLED: i64 = 7 * DAY;
/// Who was in another country within an hour flew faster than planes do.
const HOUR: i64 = 3600;
/// Countries that are new to an account within such a time are not one journey.
const JOURNEY: i64 = 3 * DAY;
/// Who fails less often, within the hour before, and with no name of others, mistyped his own.
const MISTYPED: u64 = 10;
/// A client that failed so often, or with so many names, is an attacker.
const ATTACKER_FAILURES: u64 = 15;
const ATTACKER_NAMES: usize = 5;
/// So many failures are no device that its owner mends at last.
const NO_DEVICE: u64 = 100;
/// Of accounts of a name that come from so many networks, no more need be known.
const EVERYWHERE: usize = 900;

/// Where a login came from.
type Where<'w> = (Option<&'w Country>, Option<&'w AutonomousSystem>);

impl Judge<'_> {
    /// Judges what is new of a kind of logins.
    pub(super) fn login(&mut self, news: &News, whence: Whence<'_>) -> Result<(), StoreError> {
        let (news, known) = &self.book.add_login(news)?;
        self.book.look_back_to(news.first - group::LONGEST)?;
        let (country, network) = whence(news.address);
        let place = (country.as_ref(), network.as_ref());
        self.book.note_been((news, self.thresholds.slack), place)?;
        if self.allowed.has_address(news.address, news.first)
            || self.allowed.has_account(news.account.as_bytes(), news.first)
        {
            return Ok(());
        }
        let name = name_of(news.account.as_bytes());
        let been = self.book.been(&name)?;
        let mut been: Vec<_> =
            been.iter().filter(|been| is_account(been, news) && been.first <= news.first).collect();
        let is_first = |been: &&Been| been.network == news.network && been.first < news.first;
        let is_arrival = *known == 0 && !been.iter().any(is_first);
        // What thieves did is no measure for what comes after them.
        let thieves = self.book.thieves(&name)?;
        been.retain(|been| thieves.iter().all(|thief| !thief.is_at(been.network, &news.account)));
        let mut signs = Vec::new();
        if is_arrival {
            been.retain(|been| been.network != news.network);
            self.arrival(news, place, (&name, &been), &mut signs)?;
        }
        let here = thieves.iter().filter(|thief| thief.is_at(news.network, &news.account));
        let seen_to = here.map(|thief| thief.seen_to.unwrap_or(i64::MAX)).max();
        // Of one that is still open, more is no news; nor is what came before somebody saw to it.
        if let Some(seen_to) = seen_to.filter(|at| *at < news.last) {
            let time = if news.first > seen_to { news.first } else { news.last };
            signs.push(Sign { time, ..sign(news, Evidence::Returned, 0) });
        }
        if news.service.as_bytes().starts_with(b"postfix") && !self.is_everywhere(&name, &been)? {
            self.messages(news, place, (&been, &thieves), &mut signs)?;
        }
        self.book.add_signs(&news.account, signs)
    }

    /// Whether an account, with others of its name, comes from so many networks that to know more would
    /// take long.
    fn is_everywhere(&mut self, name: &Untrusted, been: &[&Been]) -> Result<bool, StoreError> {
        Ok(been.len() * 4 >= EVERYWHERE && self.book.been(name)?.len() >= EVERYWHERE)
    }

    /// Whether an account has logged in for some days only, while others are known for longer.
    fn is_unheard(&self, been: &[&Been], time: i64) -> bool {
        let first = been.iter().map(|been| been.first).min().unwrap_or(time);
        time - first <= 7 * DAY && self.known_for(first) > 7 * DAY
    }

    /// What speaks against a login from a network that the account never came from.
    fn arrival(
        &mut self,
        news: &News,
        place: Where<'_>,
        (name, been): (&Untrusted, &[&Been]),
        signs: &mut Vec<Sign>,
    ) -> Result<(), StoreError> {
        let is_known = is_acquainted(been, news.first);
        let other_country = place
            .0
            .filter(|country| been.iter().all(|been| been.country.as_ref() != Some(country)));
        let is_abroad = is_known && other_country.is_some();
        let number = place.1.map_or(0, |network| network.number);
        let is_new_provider = number == 0 || been.iter().all(|been| been.number != number);
        self.attacker(news, (is_known, is_abroad, is_new_provider), signs)?;
        if is_abroad {
            signs.push(sign(news, Evidence::NewCountry, 0));
        } else if is_known && is_new_provider {
            signs.push(sign(news, Evidence::NewNetwork, 0));
        }
        if self.is_unheard(been, news.first)
            && let Some(country) = place.0
            && self.book.is_rare(country, &name_of(news.account.as_bytes()))?
        {
            signs.push(sign(news, Evidence::Awakened, 0));
        }
        if is_known {
            self.networks(news, number, been, signs);
        }
        let is_all_over = self.is_everywhere(name, been)?;
        if (other_country.is_some() || (is_known && is_new_provider)) && !is_all_over {
            self.elsewhere(news, (other_country, number), (is_known, been), signs)?;
        }
        if !signs.is_empty() {
            self.attack(news, place, name, signs)?;
        }
        Ok(())
    }

    /// What a login from a new provider or country is beside the account's other logins.
    fn elsewhere(
        &self,
        news: &News,
        (country, number): (Option<&Country>, u32),
        (is_known, been): (bool, &[&Been]),
        signs: &mut Vec<Sign>,
    ) -> Result<(), StoreError> {
        let mut visits = Vec::new();
        for account in spellings(news, been) {
            visits.extend(self.book.visits(account, (news.network, news.first))?);
        }
        let ago = |time: i64| news.first - time;
        let countries = |is_meant: &dyn Fn(&Visit) -> bool| {
            let meant = visits.iter().filter(|visit| is_meant(visit));
            meant.filter_map(|visit| visit.country).collect::<BTreeSet<_>>()
        };
        let others = if country.is_none() {
            BTreeSet::new()
        } else if is_known {
            let before = countries(&|it| ago(it.first) >= JOURNEY);
            // Only of who stays in one country, two more say something.
            let is_settled = visits.iter().any(|it| ago(it.first) >= SETTLED) && before.len() == 1;
            let others = &countries(&|it| ago(it.first) < JOURNEY) - &before;
            if is_settled { others } else { BTreeSet::new() }
        } else {
            countries(&|it| ago(it.last) <= HOUR)
        };
        if !others.is_empty() {
            signs.push(sign(news, Evidence::Scattered, others.len() as u64 + 1));
        }
        let is_read = |it: &&Visit| it.service.as_bytes().starts_with(b"dovecot");
        let sends = is_known && number != 0 && news.service.as_bytes().starts_with(b"postfix");
        if sends
            && visits.iter().any(|it| is_read(&it))
            && visits.iter().filter(is_read).all(|it| it.number != number)
        {
            signs.push(sign(news, Evidence::SendsApart, 0));
        }
        Ok(())
    }

    /// Whether the client failed before.
    fn attacker(
        &mut self,
        news: &News,
        (is_known, is_abroad, is_new_provider): (bool, bool, bool),
        signs: &mut Vec<Sign>,
    ) -> Result<(), StoreError> {
        let Some(source) = self.book.source(source_of(news.address))? else {
            return self.device(news, is_abroad, signs);
        };
        if news.first - source.last > 30 * DAY || source.first > news.first {
            return Ok(());
        }
        let since = news.first - self.own_seconds();
        if self.book.is_shared(news.network, (since, news.first), SHARED)? {
            return Ok(());
        }
        let is_stranger = is_abroad || source.failures >= NO_DEVICE;
        let is_late = news.first - source.last > 7 * DAY || self.mistyped(news, &source)?;
        // At his own provider, a user may share the address of an attacker.
        let has_many = source.names.len() >= ATTACKER_NAMES;
        let is_many = has_many && (is_new_provider || source.failures >= NO_DEVICE);
        let is_persistent = source.failures >= ATTACKER_FAILURES && is_known && is_stranger;
        let evidence = if is_many || is_persistent {
            Evidence::Attacker
        } else if !is_late
            && (is_abroad || source.names.len() >= 3 || source.failures >= MANY_FAILURES)
        {
            Evidence::Guesser
        } else {
            return Ok(());
        };
        let campaign = self.book.campaign(source.campaign)?.and_then(|it| it.number);
        signs.push(Sign { campaign, ..sign(news, evidence, source.failures) });
        Ok(())
    }

    /// Whether what was taken for a device with an old password guessed, and was right at last.
    fn device(
        &mut self,
        news: &News,
        is_abroad: bool,
        signs: &mut Vec<Sign>,
    ) -> Result<(), StoreError> {
        if !is_abroad {
            return Ok(());
        }
        let own = self.book.own(&news.account)?;
        let here = own.iter().find(|own| own.network == news.network);
        let is_meant =
            |own: &&Own| own.failures >= ATTACKER_FAILURES && news.first - own.last <= 7 * DAY;
        if let Some(own) = here.filter(is_meant) {
            let is_device = own.failures < NO_DEVICE;
            let evidence = if is_device { Evidence::Guesser } else { Evidence::Attacker };
            signs.push(sign(news, evidence, own.failures));
        }
        Ok(())
    }

    /// Whether what failed before a login was its user.
    fn mistyped(&mut self, news: &News, source: &Source) -> Result<bool, StoreError> {
        let is_over = news.first - source.first > HOUR || source.failures >= MISTYPED;
        if is_over || source.names.len() > 2 {
            return Ok(false);
        }
        let name = name_of(news.account.as_bytes());
        for other in source.names.iter().filter(|it| **it != name) {
            if !self.book.been(other)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a campaign tries this account, and has bots where the login comes from.
    fn attack(
        &mut self,
        news: &News,
        place: Where<'_>,
        name: &Untrusted,
        signs: &mut Vec<Sign>,
    ) -> Result<(), StoreError> {
        let (mut failures, mut most, mut number) = (0, 0, None);
        let mut near: Option<(u64, i64)> = None;
        for aim in self.book.aims(name)?.iter() {
            if news.first - aim.last > 7 * DAY {
                continue;
            }
            let Some(campaign) = self.book.campaign(aim.campaign)? else { continue };
            let Some(shown) = campaign.number else { continue };
            failures += aim.failures;
            if aim.failures > most {
                (most, number) = (aim.failures, Some(shown));
            }
            if let (Some(country), Some(network)) = place {
                let bots = self.book.bots_at(campaign.id, (country, network.number))?;
                near = near.max(Some((bots, shown)).filter(|(bots, _)| *bots >= group::GROUP));
            }
        }
        if failures >= 5 {
            let campaign = number;
            signs.push(Sign { campaign, ..sign(news, Evidence::UnderAttack, failures) });
            if let Some((bots, shown)) = near {
                let campaign = Some(shown);
                signs.push(Sign { campaign, ..sign(news, Evidence::BotsNear, bots) });
            }
        }
        Ok(())
    }

    /// Whether the account comes from many networks at once that it never came from.
    fn networks(&self, news: &News, number: u32, been: &[&Been], signs: &mut Vec<Sign>) {
        let key = |number: u32, been: Option<&Been>| match (number, been) {
            (0, Some(been)) => been.network.cidr(),
            (0, None) => news.network.cidr(),
            (number, _) => number.to_string(),
        };
        let yesterday = news.first - DAY;
        let (late, early): (Vec<&Been>, Vec<_>) =
            been.iter().copied().partition(|it| it.first > yesterday);
        let mut new: BTreeSet<_> = late.iter().map(|it| key(it.number, Some(it))).collect();
        new.insert(key(number, None));
        for known in early {
            new.remove(&key(known.number, Some(known)));
        }
        if new.len() as u64 >= self.thresholds.many_networks {
            signs.push(sign(news, Evidence::ManyNetworks, new.len() as u64));
        }
    }

    /// Whether it sends much more than ever, from a place that is new to it.
    fn messages(
        &mut self,
        news: &News,
        place: Where<'_>,
        (been, thieves): (&[&Been], &[Thief]),
        signs: &mut Vec<Sign>,
    ) -> Result<(), StoreError> {
        // Of an account that is known for a few days only, what it did in these must do.
        let known_for = been.iter().map(|been| news.first - been.first).max().unwrap_or(0);
        let age = if known_for > 7 * DAY { 7 * DAY } else { 2 * DAY };
        let is_old = |been: &Been| news.first - been.first > age;
        let number = place.1.map_or(0, |network| network.number);
        let is_same =
            |been: &Been| been.network == news.network || (number != 0 && been.number == number);
        let is_unheard = self.is_unheard(been, news.first);
        let is_known = known_for > age || is_unheard;
        let is_new = is_unheard || !been.iter().any(|been| is_old(been) && is_same(been));
        // One network's share of a day is all of it, nearly; most rows are far from many.
        let many = self.thresholds.many_messages;
        if !is_known || (!is_new && news.count < many) {
            return Ok(());
        }
        let old: Vec<_> = been.iter().filter(|been| !is_unheard && is_old(been)).collect();
        let (mut new, mut all) = (0, 0);
        let mut days = std::collections::BTreeMap::<String, u64>::new();
        let mut messages = Vec::new();
        for account in spellings(news, been) {
            messages.extend(self.book.messages(account)?);
        }
        for (day, network, count) in messages {
            if day == news.day {
                all += count;
                new += if old.iter().any(|been| been.network == network) { 0 } else { count };
            } else if day < news.day
                && !is_unheard
                && thieves.iter().all(|thief| !thief.is_at(network, &news.account))
            {
                *days.entry(day).or_default() += count;
            }
        }
        let usual = days.into_values().max().unwrap_or(0);
        let (evidence, number) = if is_new && new >= many && new >= usual.saturating_mul(3) {
            (Evidence::ManyMessages, new)
        } else if all >= many.saturating_mul(2) && all >= usual.saturating_mul(5) {
            (Evidence::Jump, all)
        } else {
            return Ok(());
        };
        signs.push(Sign { usual: Some(usual), ..sign(news, evidence, number) });
        Ok(())
    }
}

/// Whether it is known long enough what an account does.
fn is_acquainted(been: &[&Been], time: i64) -> bool {
    been.iter().any(|been| time - been.first >= ACQUAINTED)
}

/// Whether `been` is of the very account, and not of one that shares its name.
fn is_account(been: &Been, news: &News) -> bool {
    is_same(been.account.as_bytes(), news.account.as_bytes())
}

/// How an account was written so far.
fn spellings<'b>(news: &'b News, been: &[&'b Been]) -> BTreeSet<&'b Untrusted> {
    been.iter().map(|been| &been.account).chain([&news.account]).collect()
}

fn sign(news: &News, evidence: Evidence, number: u64) -> Sign {
    Sign {
        evidence,
        time: news.first,
        network: news.network,
        address: news.address,
        place: news.place,
        campaign: None,
        number,
        usual: None,
    }
}
