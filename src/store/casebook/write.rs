//! What a judgement changes, kept in memory until it is written all at once.

use std::net::IpAddr;
use std::rc::Rc;

use jiff::civil::Date;
use rusqlite::params;

use super::recent::Tier;
use super::rows::read_login;
use super::{Casebook, MOST_BEEN, Neighbour, News};
use crate::campaign::{Because, Been, Campaign, Own, Source, Tried, neighbourhood_of};
use crate::origin::{AutonomousSystem, Country};
use crate::pace::Pace;
use crate::store::StoreError;
use crate::store::batch::Address;
use crate::untrusted::Untrusted;
use crate::user_name::name_of;

impl Casebook<'_> {
    /// Notes what is known of a source now.
    pub fn put_source(&mut self, address: IpAddr, source: Source) {
        self.sources.put(address, source);
    }

    /// Notes the campaign that was just seen at or near an address, which is one of its sources.
    pub fn note_neighbour(&mut self, address: IpAddr, neighbour: Neighbour) {
        let of = neighbourhood_of(address);
        if self.neighbours.known(&of).is_none_or(|known| known.last <= neighbour.last) {
            self.neighbours.note(of, neighbour);
        }
    }

    /// Notes a campaign.
    pub fn put_campaign(&mut self, campaign: Campaign) {
        self.campaigns.put(campaign.id, campaign);
    }

    /// Notes that failure `id` is of an own user, and what is known of these now.
    pub fn put_own(&mut self, id: i64, own: Own) -> Result<(), StoreError> {
        let sql = "INSERT OR IGNORE INTO own_failure VALUES (?)";
        let add = || self.connection.prepare_cached(sql)?.execute([id]);
        add().map_err(|e| self.error(e))?;
        let mut all = Rc::unwrap_or_clone(self.own(&own.user)?);
        all.retain(|it| it.network != own.network);
        let user = own.user.clone();
        all.push(own);
        self.own.put(user, all);
        Ok(())
    }

    /// Notes that the failures of a source so far are of an own user after all; its row is void.
    pub fn pardon(&mut self, address: IpAddr, source: &Source) -> Result<(), StoreError> {
        // What is next to it is another source's campaign now, if any's; those must have been written.
        self.flush().map_err(|e| self.error(e))?;
        self.leave_ahead();
        self.sources.remove(&address);
        self.neighbours.remove(&neighbourhood_of(address));
        let put = || -> rusqlite::Result<()> {
            let sql = "REPLACE INTO pardon VALUES (?, ?, ?)";
            let values = params![Address(address), source.first, source.last];
            self.connection.prepare_cached(sql)?.execute(values)?;
            for sql in [
                "DELETE FROM source WHERE address = ?",
                "DELETE FROM source_again WHERE address = ?",
            ] {
                self.connection.prepare_cached(sql)?.execute([Address(address)])?;
            }
            Ok(())
        };
        put().map_err(|e| self.error(e))
    }

    /// Notes that a failure is the first of a device where its account never logged in.
    pub fn add_stranger(&self, tried: &Tried) -> Result<(), StoreError> {
        let sql = "INSERT OR IGNORE INTO stranger VALUES (?, ?)";
        let add = || self.connection.prepare_cached(sql)?.execute([tried.time, tried.id]);
        add().map(drop).map_err(|e| self.error(e))
    }

    /// Notes one more source, or one less, of a campaign where `tried` came from.
    pub fn count_place(&mut self, campaign: i64, tried: &Tried, sources: i64) {
        let network = tried.network.as_ref();
        let key = (campaign, tried.country, network.map_or(0, |network| network.number));
        let organisation = || network.map_or("".into(), |network| network.organisation.clone());
        self.places.entry(key).or_insert_with(|| (organisation(), 0)).1 += sources;
    }

    /// Counts one more failure of a name on a local day.
    pub fn count_day(&mut self, name: &Untrusted, day: Date) {
        *self.days.entry((name.clone(), day)).or_default() += 1;
    }

    /// Notes that a source of one campaign, after `before`, tried `name` of another one; gives by how many
    /// different names before, and to how many, that has happened.
    pub fn count_crossing(
        &mut self,
        (one, other): (i64, i64),
        (before, name): (&Untrusted, &Untrusted),
    ) -> Result<(u64, u64), StoreError> {
        let add = "INSERT OR IGNORE INTO link VALUES (?, ?, ?, ?)";
        let sql = "SELECT count(DISTINCT before), count(DISTINCT name) FROM link \
            WHERE campaign = ? AND other = ?";
        let (low, high) = (one.min(other), one.max(other));
        let count = || -> rusqlite::Result<_> {
            self.connection.prepare_cached(add)?.execute(params![low, high, before, name])?;
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_row([low, high], |row| {
                let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs);
                Ok((number(0)?, number(1)?))
            })
        };
        count().map_err(|e| self.error(e))
    }

    /// Adds what is new of some logins to those of their kind; gives all of that kind, and how many of
    /// them were known before.
    pub fn add_login(&mut self, news: &News) -> Result<(News, u64), StoreError> {
        let in_place = self.logins.remove(&news.id);
        let add = || -> rusqlite::Result<_> {
            let sorted =
                in_place.map_or_else(|| read_login(self.connection, Tier::Sorted, news), Ok)?;
            let again = match self.tier {
                Tier::Recent => read_login(self.connection, Tier::Recent, news)?,
                Tier::Sorted => None,
            };
            let known = match (sorted, again) {
                (Some(sorted), Some(again)) => Some(sorted.and(&again)),
                (sorted, again) => sorted.or(again),
            };
            let before = known.as_ref().map_or(0, |known| known.count);
            let is_in_place = self.tier == Tier::Sorted && known.is_some();
            let all = known.map_or_else(|| news.clone(), |known| known.and(news));
            // Of late, only what is new is written. In its place, for an upsert SQLite would keep a copy of
            // each page that it changes.
            let row = if self.tier == Tier::Recent { news } else { &all };
            let sql = match (self.tier, is_in_place) {
                (Tier::Recent, _) => {
                    "INSERT INTO login_again VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                }
                (Tier::Sorted, false) => {
                    "INSERT INTO login VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                }
                (Tier::Sorted, true) => {
                    "UPDATE login SET count = ?6, first = ?7, last = ?8, address = ?9, \
                     generation = ?10, position = ?11 WHERE name = ?1 AND account = ?2 \
                     AND network = ?3 AND day = ?4 AND service = ?5"
                }
            };
            let (name, network) = (name_of(row.account.as_bytes()), row.network.cidr());
            let News { account, day, service, first, last, place, .. } = row;
            let (count, address) = (row.count.cast_signed(), Address(row.address));
            self.connection.prepare_cached(sql)?.execute(params![
                name, account, network, day, service, count, first, last, address, place.0, place.1
            ])?;
            Ok((all, before))
        };
        add().map_err(|e| self.error(e))
    }

    /// Notes where an account has logged in; the last time anew if it is `slack` seconds later.
    pub fn note_been(
        &mut self,
        (news, slack): (&News, i64),
        (country, network): (Option<&Country>, Option<&AutonomousSystem>),
    ) -> Result<(), StoreError> {
        let name = name_of(news.account.as_bytes());
        let is_it = |been: &Been| been.account == news.account && been.network == news.network;
        let known = self.been(&name)?.iter().find(|been| is_it(been)).map(|it| (it.first, it.last));
        let known = known.filter(|(first, _)| *first <= news.first);
        if known.is_some_and(|(_, last)| news.last < last + slack) {
            return Ok(());
        }
        let (code, number) = (country.map(Country::code), network.map_or(0, |it| it.number));
        let tier = self.tier;
        let put = || -> rusqlite::Result<()> {
            let cidr = news.network.cidr();
            let key = params![name, news.account, cidr, news.first, news.last];
            if tier == Tier::Recent {
                let sql = "UPDATE been_again SET first = min(first, ?4), last = max(last, ?5) \
                    WHERE name = ?1 AND account = ?2 AND network = ?3";
                // The row is to hold instead of the one that is there.
                let copy = "INSERT INTO been_again SELECT name, account, network, min(first, ?4), \
                    max(last, ?5), country, asn, aso, 0 FROM been \
                    WHERE name = ?1 AND account = ?2 AND network = ?3";
                if self.connection.prepare_cached(sql)?.execute(key)? > 0
                    || self.connection.prepare_cached(copy)?.execute(key)? > 0
                {
                    return Ok(());
                }
            }
            let sql = match tier {
                Tier::Recent => "INSERT INTO been_again VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
                Tier::Sorted => {
                    "INSERT INTO been VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET \
                     first = min(first, excluded.first), last = max(last, excluded.last)"
                }
            };
            let mut insert = self.connection.prepare_cached(sql)?;
            let aso = network.map(|network| &network.organisation);
            let values =
                params![name, news.account, cidr, news.first, news.last, code, number, aso];
            insert.execute(values).map(drop)
        };
        put().map_err(|e| self.error(e))?;
        self.been.amend(&name, |all| {
            if let Some(been) = all.iter_mut().find(|been| is_it(been)) {
                been.first = been.first.min(news.first);
                been.last = been.last.max(news.last);
                return;
            }
            if all.len() >= MOST_BEEN as usize {
                let oldest = all.iter().enumerate().min_by_key(|(_, been)| been.last);
                if let Some((at, _)) = oldest {
                    all.swap_remove(at);
                }
            }
            all.push(Been {
                account: news.account.clone(),
                network: news.network,
                first: news.first,
                last: news.last,
                country: country.copied(),
                number,
            });
        });
        Ok(())
    }

    /// Writes what changed; it stays in memory.
    pub(super) fn flush(&mut self) -> rusqlite::Result<()> {
        self.flush_sources()?;
        self.flush_names()
    }

    /// Writes campaigns and sources.
    fn flush_sources(&mut self) -> rusqlite::Result<()> {
        let connection = self.connection;
        // In the order of each table's key, so that each page is visited once.
        let mut campaigns = self.campaigns.take_changed();
        campaigns.sort_unstable_by_key(|(id, _)| *id);
        // Most keep their number, whose index then need not be written.
        let sql = "UPDATE campaign SET tool = ?4, first = ?5, last = ?6, failures = ?7, sources = ?8, \
            heavy = ?9, names = ?10, is_crowd = ?11, gap = ?12, regular = ?13, gaps = ?14, asn = ?15, \
            full = ?16, bare = ?17 WHERE id = ?1 AND number IS ?2 AND joined IS ?3";
        let mut update = connection.prepare_cached(sql)?;
        let sql = format!(
            "REPLACE INTO {} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self.tier.campaigns()
        );
        let mut put = connection.prepare_cached(&sql)?;
        for (id, it) in campaigns {
            let values = params![
                id,
                it.number,
                it.joined,
                it.tool,
                it.first,
                it.last,
                it.failures.cast_signed(),
                it.sources.cast_signed(),
                it.heavy.cast_signed(),
                it.names.cast_signed(),
                it.is_crowd,
                it.pace.gap,
                it.pace.regular.cast_signed(),
                it.pace.gaps.cast_signed(),
                it.network,
                it.spelling.full.cast_signed(),
                it.spelling.bare.cast_signed(),
            ];
            if self.tier == Tier::Recent || update.execute(values)? == 0 {
                put.execute(values)?;
            }
        }
        let mut sources = self.sources.take_changed();
        sources.sort_unstable_by_key(|(address, _)| *address);
        // Most stay in their campaign, whose index then need not be written.
        let sql = "UPDATE source SET first = ?3, last = ?4, failures = ?5, gap = ?6, regular = ?7, \
            gaps = ?8, names = ?9 WHERE address = ?1 AND campaign = ?2";
        let mut update = connection.prepare_cached(sql)?;
        let mut put =
            connection.prepare_cached("REPLACE INTO source VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
        let mut add = connection
            .prepare_cached("INSERT INTO source_again VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)")?;
        for (address, it) in sources {
            let (failures, names) = (it.failures.cast_signed(), joined(&it.names));
            let Source { campaign, first, last, .. } = *it;
            let Pace { gap, regular, gaps } = it.pace;
            let (regular, gaps) = (regular.cast_signed(), gaps.cast_signed());
            let address = Address(address);
            let values =
                params![address, campaign, first, last, failures, gap, regular, gaps, names];
            if self.tier == Tier::Recent {
                add.execute(values)?;
            } else if update.execute(values)? == 0 {
                put.execute(values)?;
            }
        }
        Ok(())
    }

    /// Writes what has the key of a name.
    fn flush_names(&mut self) -> rusqlite::Result<()> {
        let connection = self.connection;
        self.aims.flush(connection, self.tier)?;
        let mut days: Vec<_> = self.days.drain().collect();
        days.sort_unstable_by(|((one, day), _), ((other, of), _)| (day, one).cmp(&(of, other)));
        let sql = "INSERT INTO name_day VALUES (?, ?, ?) \
            ON CONFLICT DO UPDATE SET failures = failures + excluded.failures";
        let mut put = connection.prepare_cached(sql)?;
        for ((name, day), failures) in days {
            put.execute(params![name, day.to_string(), failures.cast_signed()])?;
        }
        let mut own = self.own.take_changed();
        own.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let sql = "REPLACE INTO own VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let mut put = connection.prepare_cached(sql)?;
        for it in own.iter().flat_map(|(_, all)| all.iter()) {
            let Own { user, tool, first, last, number, .. } = it;
            let Pace { gap, regular, gaps } = it.pace;
            let (failures, network) = (it.failures.cast_signed(), it.network.cidr());
            let (regular, gaps) = (regular.cast_signed(), gaps.cast_signed());
            let (name, because) = (name_of(user.as_bytes()), it.because.map(Because::key));
            put.execute(params![
                name, user, network, tool, first, last, failures, gap, regular, gaps, number,
                because
            ])?;
        }
        self.flush_places()
    }

    /// Writes how many more sources campaigns have where.
    pub(super) fn flush_places(&mut self) -> rusqlite::Result<()> {
        let mut places: Vec<_> = self.places.drain().collect();
        places.sort_unstable_by_key(|(key, _)| *key);
        let sql = format!(
            "INSERT INTO {} VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT DO UPDATE SET sources = sources + excluded.sources",
            self.tier.places()
        );
        let mut put = self.connection.prepare_cached(&sql)?;
        for ((campaign, country, number), (organisation, sources)) in places {
            let country = country.as_ref().map_or("", Country::code);
            put.execute(params![campaign, country, number, organisation, sources])?;
        }
        Ok(())
    }
}

impl News {
    /// These and others of the same kind.
    pub(super) fn and(self, other: &Self) -> Self {
        let first = if self.first <= other.first { &self } else { other };
        Self {
            count: self.count + other.count,
            last: self.last.max(other.last),
            first: first.first,
            address: first.address,
            place: first.place,
            ..other.clone()
        }
    }
}

/// Names as the store keeps them, each after its length in one byte.
fn joined(names: &[Untrusted]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for name in names {
        let name = name.as_bytes();
        bytes.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(name);
    }
    bytes
}
