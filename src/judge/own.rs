//! Failures of users who mistype, and of their devices that know an old password: no attacks.
//!
//! A user comes back to where he logged in before: to his network, or, with a phone whose address
//! changes, to his provider's. An office has several users behind one address.

use std::net::IpAddr;

use crate::campaign::{Because, DEVICE_PLACES, Own, Source, Tried, source_of};
use crate::event::Network;
use crate::pace::Pace;
use crate::store::StoreError;
use crate::untrusted::Untrusted;
use crate::user_name::{UNKNOWN, may_be_same};

use super::Judge;
use super::group::DAY;

/// A place that so many accounts log in from is shared: who mistypes his name there is no attacker, and
/// what fails there is not one client.
pub(super) const SHARED: usize = 3;
/// So many failures, on an average so many seconds apart, are no device.
const FLOOD: u64 = 100;
const HASTE: i64 = 60;
/// So many devices a week may be where their accounts never logged in from.
const STRANGERS: u64 = 100;

/// Where the accounts that a failure may be of log in from, seen from where it came from.
#[derive(Default)]
struct Home {
    /// They do from the same network,
    is_here: bool,
    /// or through the same provider,
    is_same_provider: bool,
    /// or from so many networks.
    networks: usize,
    /// A thief got in from there.
    is_thiefs: bool,
}

impl Judge<'_> {
    /// Why a failure is one of the account's own user, if it is.
    pub(super) fn is_own(&mut self, tried: &Tried) -> Result<Option<Because>, StoreError> {
        if self.allowed.has_address(tried.address, tried.time)
            || tried
                .user
                .as_ref()
                .is_some_and(|user| self.allowed.has_account(user.as_bytes(), tried.time))
        {
            return Ok(Some(Because::Vouched));
        }
        let source = self.book.source(source_of(tried.address))?;
        if source.as_ref().is_some_and(|source| source.is_nobodys()) {
            return Ok(None);
        }
        let home = self.home(tried)?;
        if home.is_here {
            return Ok(Some(Because::SameNetwork));
        }
        let network = Network::of(tried.address);
        let number = tried.network.as_ref().map_or(0, |network| network.number);
        let times = (tried.time - self.own_seconds(), tried.time);
        let user_tried = tried.user.clone().unwrap_or_else(|| Untrusted::from(UNKNOWN));
        let own = self.book.own(&user_tried)?;
        // A device that was one before was not a thief's, most likely.
        let is_known_device = own.iter().any(|own| own.network == network && own.is_device());
        if home.is_thiefs && !is_known_device && !self.book.is_shared(network, times, SHARED)? {
            return Ok(None);
        }
        // Who guesses patiently looks like a device; but that is in one place at a time.
        let late = own.iter().filter(|own| tried.time - own.last <= DAY && own.network != network);
        let is_flood = |own: &Own| {
            let least = i64::try_from(own.failures).unwrap_or(i64::MAX).saturating_mul(HASTE);
            own.failures >= FLOOD && own.last - own.first < least && !own.is_device()
        };
        if late.count() as u64 >= DEVICE_PLACES
            || own.iter().any(|own| own.network == network && is_flood(own))
        {
            return Ok(None);
        }
        if let Some(source) = source.as_ref().filter(|it| *it.names == [tried.name.clone()])
            && (source.is_device()
                || self.book.campaign(source.campaign)?.is_some_and(|it| it.is_device()))
            && (home.is_same_provider || self.is_rare_stranger(tried)?)
        {
            return Ok(Some(Because::Device));
        }
        // A device that was known for one goes on, with another address of its provider's too.
        for own in own.iter() {
            let is_device = own.rhythm().is_some() || own.network == network;
            let is_near = own.network == network || (number != 0 && own.number == number);
            if is_device && is_near && tried.time - own.last <= 2 * DAY {
                let is_known = |it: &Because| own.network == network && *it != Because::Vouched;
                let because = own.because.filter(is_known);
                return Ok(Some(because.unwrap_or(Because::Device)));
            }
        }
        // Bots live at the same providers. A client that tried other names before is one, and so is
        // one that does what a campaign on this account does.
        let is_alone = source.as_ref().is_none_or(|source| *source.names == [tried.name.clone()]);
        if home.is_same_provider && is_alone && !self.is_attacked(tried)? {
            return Ok(Some(Because::SameProvider));
        }
        let least = if home.networks > 0 { SHARED - 1 } else { SHARED };
        let is_shared = self.book.is_shared(network, times, least)?;
        Ok(is_shared.then_some(Because::Shared))
    }

    /// What logins of the accounts that a failure may be of had to do with where it came from.
    fn home(&mut self, tried: &Tried) -> Result<Home, StoreError> {
        let been = self.book.been(&tried.name)?;
        if been.is_empty() {
            return Ok(Home::default());
        }
        let since = tried.time - self.own_seconds();
        let user = tried.user.clone().unwrap_or_else(|| Untrusted::from(UNKNOWN));
        let network = Network::of(tried.address);
        let number = tried.network.as_ref().map_or(0, |network| network.number);
        let thieves = self.book.thieves(&tried.name)?;
        let is_thiefs = |network| thieves.iter().any(|thief| thief.is_at(network, &user));
        let mut home = Home { is_thiefs: is_thiefs(network), ..Home::default() };
        for been in been.iter() {
            let counts = been.first <= tried.time && been.last >= since;
            // Who got in as a thief does not become its user.
            if counts
                && may_be_same(been.account.as_bytes(), user.as_bytes())
                && !is_thiefs(been.network)
            {
                home.networks += 1;
                home.is_here |= been.network == network;
                home.is_same_provider |= number != 0 && been.number == number;
            }
        }
        Ok(home)
    }

    /// For how long a network is a user's own; what is noted of a login may be a little older than that.
    pub(super) fn own_seconds(&self) -> i64 {
        self.thresholds.own_days * DAY + self.thresholds.slack
    }

    /// Whether one more device may be somebody's, of whom nothing was seen where it is: a steady rhythm
    /// alone is cheap to fake.
    fn is_rare_stranger(&self, tried: &Tried) -> Result<bool, StoreError> {
        let week = (tried.time - 7 * DAY, tried.time);
        if self.book.strangers(week)? >= STRANGERS {
            return Ok(false);
        }
        self.book.add_stranger(tried)?;
        Ok(true)
    }

    /// Whether bots with the same tool try this name these days.
    fn is_attacked(&mut self, tried: &Tried) -> Result<bool, StoreError> {
        for aim in self.book.aims(&tried.name)?.iter() {
            if aim.sources < 3 || tried.time - aim.last > 2 * DAY {
                continue;
            }
            let campaign = self.book.campaign(aim.campaign)?;
            if campaign.is_some_and(|campaign| campaign.tool == tried.tool && campaign.is_light()) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes back that a source is one.
    fn pardon(
        &mut self,
        (address, source): (IpAddr, &Source),
        tried: &Tried,
    ) -> Result<(), StoreError> {
        self.take_out((address, source), tried)?;
        self.book.pardon(address, source)
    }

    /// Notes a failure of an own user, and takes back what was said of its client before.
    pub(super) fn note_own(&mut self, tried: &Tried, because: Because) -> Result<(), StoreError> {
        let address = source_of(tried.address);
        let source = self.book.source(address)?;
        let before = match source {
            Some(source) if *source.names == [tried.name.clone()] => {
                let campaign = self.book.campaign(source.campaign)?;
                let device = campaign.filter(|it| it.is_device());
                self.pardon((address, &source), tried)?;
                for other in
                    device.as_ref().map_or(Ok(Vec::new()), |it| self.book.sources_of(it.id))?
                {
                    if let Some(source) = self.book.source(other)? {
                        self.pardon((other, &source), tried)?;
                    }
                }
                device.map(|it| (it.first, it.last, it.failures, it.pace)).or(Some((
                    source.first,
                    source.last,
                    source.failures,
                    source.pace,
                )))
            }
            _ => None,
        };
        let (first, last, failures, pace) =
            before.unwrap_or((tried.time, tried.time, 0, Pace::default()));
        let user = tried.user.clone().unwrap_or_else(|| Untrusted::from(UNKNOWN));
        let network = Network::of(tried.address);
        let known = self.book.own(&user)?.iter().find(|own| own.network == network).cloned();
        let mut own = known.unwrap_or_else(|| Own {
            user,
            network,
            tool: tried.tool.clone(),
            first,
            last,
            failures,
            pace,
            number: tried.network.as_ref().map_or(0, |network| network.number),
            because: None,
        });
        own.because = Some(because);
        own.add(tried.time);
        own.tool.clone_from(&tried.tool);
        self.book.put_own(tried.id, own)
    }
}
