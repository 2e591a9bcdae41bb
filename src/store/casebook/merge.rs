//! Two campaigns turn out to be one.

use std::net::IpAddr;

use rusqlite::Row;

use super::Casebook;
use super::aims::{aim, read_aim, write_aim};
use super::rows::some_text;
use crate::campaign::{Aim, Campaign};
use crate::store::StoreError;
use crate::store::batch::Address;
use crate::untrusted::Untrusted;

impl Casebook<'_> {
    /// Makes `one` and `other` a single campaign, which keeps the older row and the older number; gives
    /// it.
    pub fn merge(&mut self, one: Campaign, other: Campaign) -> Result<Campaign, StoreError> {
        let (mut old, mut new) = if one.id < other.id { (one, other) } else { (other, one) };
        // Whoever asks for the other number is led to this one.
        if old.number.is_none() || new.number.is_some_and(|number| Some(number) < old.number) {
            std::mem::swap(&mut old.number, &mut new.number);
        }
        new.joined = Some(old.id);
        old.first = old.first.min(new.first);
        old.last = old.last.max(new.last);
        old.failures += new.failures;
        old.sources += new.sources;
        old.heavy += new.heavy;
        old.spelling.full += new.spelling.full;
        old.spelling.bare += new.spelling.bare;
        old.is_crowd |= new.is_crowd;
        if old.network != new.network {
            old.network = None;
        }
        self.put_campaign(new.clone());
        self.flush().and_then(|()| self.move_rows(&mut old, &new)).map_err(|e| self.error(e))?;
        self.put_campaign(old.clone());
        if self.active.misses(old.id) {
            self.active.forget();
        }
        Ok(old)
    }

    /// The sources of a campaign.
    pub fn sources_of(&mut self, id: i64) -> Result<Vec<IpAddr>, StoreError> {
        self.flush().map_err(|e| self.error(e))?;
        let sql = "SELECT address FROM sources WHERE campaign IN \
            (SELECT ?1 UNION ALL SELECT id FROM campaigns WHERE joined = ?1) ORDER BY address";
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map([id], |row| Ok(row.get::<_, Address>(0)?.0))?;
            rows.collect()
        };
        read().map_err(|e| self.error(e))
    }

    /// Small campaigns that nobody was shown, of which all names are among those that several sources
    /// of `id` try, and how many names they have.
    pub fn strays(&mut self, id: i64, since: i64) -> Result<Vec<i64>, StoreError> {
        self.flush().map_err(|e| self.error(e))?;
        let tries_it = "name IN (SELECT name FROM list) AND campaign <> ?1 AND last >= ?2";
        let tries_others = "campaign = campaigns.id AND name NOT IN (SELECT name FROM list)";
        let sql = format!(
            "WITH list AS (SELECT name FROM aims WHERE campaign = ?1 AND sources > 1 \
                ORDER BY name LIMIT 50), \
            near AS (SELECT campaign FROM aim WHERE {tries_it} UNION \
                SELECT campaign FROM aim_again WHERE {tries_it}) \
            SELECT id FROM campaigns WHERE id IN (SELECT campaign FROM near) AND number IS NULL \
            AND joined IS NULL AND heavy = 0 AND is_crowd = 0 AND sources > 0 \
            AND NOT EXISTS (SELECT 1 FROM aim WHERE {tries_others}) \
            AND NOT EXISTS (SELECT 1 FROM aim_again WHERE {tries_others}) ORDER BY id"
        );
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut statement = self.connection.prepare_cached(&sql)?;
            statement.query_map([id, since], |row| row.get(0))?.collect()
        };
        read().map_err(|e| self.error(e))
    }

    /// The names that several sources of a campaign try, and at least a twentieth of all `sources` of
    /// it; a hundred tell enough.
    pub fn list_of(&mut self, id: i64, sources: u64) -> Result<Vec<Untrusted>, StoreError> {
        self.flush().map_err(|e| self.error(e))?;
        let sql = "SELECT name FROM aims WHERE campaign = ? AND sources > 1 AND sources * 20 >= ? \
            ORDER BY name LIMIT 100";
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let values = [id, sources.cast_signed()];
            statement.query_map(values, |row| some_text(row, 0))?.collect()
        };
        read().map_err(|e| self.error(e))
    }

    fn move_rows(&mut self, old: &mut Campaign, new: &Campaign) -> rusqlite::Result<()> {
        self.take_no_aims();
        // What both did to the same names is added up.
        let sql =
            "SELECT campaign, first, last, failures, sources, name FROM aims WHERE campaign = ?";
        let mut statement = self.connection.prepare_cached(sql)?;
        let read = |row: &Row<'_>| Ok((some_text(row, 5)?, aim(row)?));
        let aims = statement.query_map([new.id], read)?.collect::<rusqlite::Result<Vec<_>>>()?;
        for (name, newer) in &aims {
            self.aims.forget(name);
            let older = read_aim(self.connection, self.tier, (name, old.id))?;
            let both = older.map_or_else(
                || Aim { campaign: old.id, ..newer.clone() },
                |older| Aim {
                    campaign: old.id,
                    first: older.first.min(newer.first),
                    last: older.last.max(newer.last),
                    failures: older.failures + newer.failures,
                    sources: older.sources + newer.sources,
                },
            );
            write_aim(self.connection, self.tier, (name, &both))?;
        }
        let sql = format!(
            "INSERT INTO {} SELECT ?1, country, asn, max(aso), sum(sources) FROM places \
             WHERE campaign = ?2 GROUP BY country, asn \
             ON CONFLICT DO UPDATE SET sources = sources + excluded.sources",
            self.tier.places()
        );
        self.connection.prepare_cached(&sql)?.execute([old.id, new.id])?;
        for table in ["aim", "aim_again", "place", "place_again"] {
            let sql = format!("DELETE FROM {table} WHERE campaign = ?");
            self.connection.prepare_cached(&sql)?.execute([new.id])?;
        }
        let sql = "SELECT count(*) FROM aims WHERE campaign = ?";
        let mut count = self.connection.prepare_cached(sql)?;
        old.names = count.query_row([old.id], |row| row.get::<_, i64>(0))?.unsigned_abs();
        Ok(())
    }
}
