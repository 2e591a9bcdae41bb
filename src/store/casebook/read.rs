//! What a judgement asks for, row by row.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::rc::Rc;

use rusqlite::params;

use super::recent::CAMPAIGN_HOLDS;
use super::rows::{
    CAMPAIGN, OWN, campaign, own, read_been, read_campaign, read_neighbour, read_news, read_source,
    read_tried, some_text,
};
use super::thieves::Thief;
use super::{Casebook, Neighbour, News};
use crate::campaign::{Been, Campaign, Own, Source, Tried, neighbourhood_of};
use crate::event::Network;
use crate::store::StoreError;
use crate::untrusted::Untrusted;
use crate::user_name::{domain_of, is_same, name_of};

impl Casebook<'_> {
    /// Failures after row `after` in their order, at most `most`; those of a CSV that mixes them with
    /// successes are left out.
    pub fn tried(&self, after: i64, most: usize) -> Result<Vec<Tried>, StoreError> {
        read_tried(self.connection, after, most).map_err(|e| self.error(e))
    }

    /// What is new of logins, in the order of the first of each; from what comes after a row, which
    /// time and id tell, to what began at `until`; at most `most`.
    pub fn news(
        &self,
        after: (i64, i64),
        until: i64,
        most: usize,
    ) -> Result<Vec<News>, StoreError> {
        read_news(self.connection, after, until, most).map_err(|e| self.error(e))
    }

    /// A source, if it is known.
    pub fn source(&mut self, address: IpAddr) -> Result<Option<Rc<Source>>, StoreError> {
        let (connection, tier) = (self.connection, self.tier);
        let load = || read_source(connection, tier, address);
        self.sources.get(&address, load).map_err(|source| self.error(source))
    }

    /// The campaign that was last seen next to an address.
    pub fn neighbour(&mut self, address: IpAddr) -> Result<Option<Rc<Neighbour>>, StoreError> {
        let (connection, tier) = (self.connection, self.tier);
        let ahead = self.near.remove(&address);
        let load = || ahead.map_or_else(|| read_neighbour(connection, tier, address), Ok);
        let near = self.neighbours.get(&neighbourhood_of(address), load);
        near.map_err(|source| self.error(source))
    }

    /// A campaign, or the one that it turned out to be part of.
    pub fn campaign(&mut self, id: i64) -> Result<Option<Rc<Campaign>>, StoreError> {
        let mut id = id;
        // Campaigns join older ones, so this ends; a store that was tampered with ends it too.
        for _ in 0..1000 {
            let connection = self.connection;
            let found = self
                .campaigns
                .get(&id, || read_campaign(connection, id))
                .map_err(|source| self.error(source))?;
            match found.as_ref().and_then(|campaign| campaign.joined) {
                Some(other) => id = other,
                None => return Ok(found),
            }
        }
        Ok(None)
    }

    /// Crowds and groups of bots of which something was seen since, sources by themselves that began
    /// after `recently`, and attackers at one provider that were just seen.
    pub fn active_campaigns(
        &self,
        (since, recently, just): (i64, i64, i64),
    ) -> Result<Vec<Campaign>, StoreError> {
        let group = "joined IS NULL AND (is_crowd OR sources > 2) AND last >= ? \
            AND (is_crowd OR heavy * 2 < sources)";
        let alone = "joined IS NULL AND sources = 1 AND heavy = 0 AND first >= ?";
        let nested = "joined IS NULL AND last >= ? AND heavy > 0 AND names >= 4 AND asn > 0";
        let mut found = BTreeMap::new();
        let mut read = |index: &str, which: &str, since: i64| -> rusqlite::Result<()> {
            for sql in [
                format!("{CAMPAIGN} FROM campaign_again WHERE {which}"),
                format!(
                    "{CAMPAIGN} FROM campaign INDEXED BY {index} WHERE {which} AND {CAMPAIGN_HOLDS}"
                ),
            ] {
                let mut statement = self.connection.prepare(&sql)?;
                for read in statement.query_map([since], campaign)? {
                    let read = read?;
                    found.insert(read.id, read);
                }
            }
            Ok(())
        };
        let all = read("campaign_group", group, since)
            .and_then(|()| read("campaign_single", alone, recently))
            .and_then(|()| read("campaign_last", nested, just));
        all.map_err(|e| self.error(e))?;
        Ok(found.into_values().collect())
    }

    /// Failures of a user from his own networks.
    pub fn own(&mut self, user: &Untrusted) -> Result<Rc<Vec<Own>>, StoreError> {
        let connection = self.connection;
        let load = || {
            let sql = format!("{OWN} WHERE name = ? AND user = ?");
            let mut statement = connection.prepare_cached(&sql)?;
            let values = params![name_of(user.as_bytes()), user];
            let own = statement.query_map(values, own)?.collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(Some(own))
        };
        let own = self.own.get(user, load).map_err(|source| self.error(source))?;
        Ok(own.unwrap_or_default())
    }

    /// How many devices were taken for somebody's after one time, and up to another, where their
    /// accounts never logged in.
    pub fn strangers(&self, (after, until): (i64, i64)) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM stranger WHERE time > ? AND time <= ?";
        let count = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row([after, until], |row| row.get::<_, i64>(0))
        };
        count().map(i64::unsigned_abs).map_err(|e| self.error(e))
    }

    /// Where accounts of this name have logged in, by what was judged so far.
    pub fn been(&mut self, name: &Untrusted) -> Result<Rc<Vec<Been>>, StoreError> {
        let connection = self.connection;
        let been = self
            .been
            .get(name, || read_been(connection, name).map(Some))
            .map_err(|source| self.error(source))?;
        Ok(been.unwrap_or_default())
    }

    /// Whether at least `least` accounts logged in from a network from one time to another; those that were
    /// stolen from there do not count.
    pub fn is_shared(
        &mut self,
        network: Network,
        (since, until): (i64, i64),
        least: usize,
    ) -> Result<bool, StoreError> {
        // As `whereabouts`, where a network would be looked for in all rows that are new.
        let sql = "SELECT name, account FROM been \
            LEFT JOIN been_again AS again USING (name, account, network) \
            WHERE been.network = ?1 AND max(been.last, ifnull(again.last, 0)) >= ?2 \
            AND min(been.first, ifnull(again.first, been.first)) < ?3 \
            UNION ALL SELECT name, account FROM been_again INDEXED BY been_new \
            WHERE is_new AND network = ?1 AND last >= ?2 AND first < ?3";
        let connection = self.connection;
        let mut look = || -> rusqlite::Result<bool> {
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![network.cidr(), since, until])?;
            let mut accounts = BTreeSet::new();
            while accounts.len() < least {
                let Some(row) = rows.next()? else { return Ok(false) };
                let (name, account) = (some_text(row, 0)?, some_text(row, 1)?);
                let is_it = |thief: &Thief| {
                    thief.network == network
                        && is_same(thief.account.as_bytes(), account.as_bytes())
                };
                if !self.read_thieves(&name)?.iter().any(is_it) {
                    accounts.insert((name, domain_of(account.as_bytes())));
                }
            }
            Ok(true)
        };
        let is_shared = look();
        is_shared.map_err(|e| self.error(e))
    }
}
