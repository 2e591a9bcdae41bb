//! Rows that were read, by their key, and whether they changed since.

use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;

use foldhash::fast::RandomState;

/// Rows of a table in memory.
pub(super) struct Cache<K, V> {
    rows: HashMap<K, Row<V>, RandomState>,
    /// The keys of those that changed.
    changed: Vec<K>,
}

struct Row<V> {
    /// `None`: there is no such row.
    value: Option<Rc<V>>,
    is_changed: bool,
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self { rows: HashMap::default(), changed: Vec::new() }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Cache<K, V> {
    /// The row of `key`, which `load` reads if it is not here.
    pub(super) fn get(
        &mut self,
        key: &K,
        load: impl FnOnce() -> rusqlite::Result<Option<V>>,
    ) -> rusqlite::Result<Option<Rc<V>>> {
        if let Some(row) = self.rows.get(key) {
            return Ok(row.value.clone());
        }
        let value = load()?.map(Rc::new);
        self.rows.insert(key.clone(), Row { value: value.clone(), is_changed: false });
        Ok(value)
    }

    /// Changes the row of `key`, or makes it.
    pub(super) fn put(&mut self, key: K, value: V) {
        let row = Row { value: Some(Rc::new(value)), is_changed: true };
        let before = self.rows.insert(key.clone(), row);
        if before.is_none_or(|row| !row.is_changed) {
            self.changed.push(key);
        }
    }

    /// The row of `key`, if it was read and there is one.
    pub(super) fn known(&self, key: &K) -> Option<&V> {
        self.rows.get(key)?.value.as_deref()
    }

    /// Notes what was read of `key`, if nothing is known of it.
    pub(super) fn read(&mut self, key: K, value: Option<V>) {
        let row = || Row { value: value.map(Rc::new), is_changed: false };
        self.rows.entry(key).or_insert_with(row);
    }

    /// Notes what is known of `key` without a row of its own.
    pub(super) fn note(&mut self, key: K, value: V) {
        self.rows.insert(key, Row { value: Some(Rc::new(value)), is_changed: false });
    }

    /// Changes the row of `key` if it is here; it counts as written.
    pub(super) fn amend(&mut self, key: &K, change: impl FnOnce(&mut V)) {
        if let Some(value) = self.rows.get_mut(key).and_then(|row| row.value.as_mut()) {
            change(Rc::make_mut(value));
        }
    }

    /// The rows that changed since they were last taken; they stay.
    pub(super) fn take_changed(&mut self) -> Vec<(K, Rc<V>)> {
        let mut taken = Vec::new();
        for key in std::mem::take(&mut self.changed) {
            let Some(row) = self.rows.get_mut(&key).filter(|row| row.is_changed) else { continue };
            row.is_changed = false;
            taken.extend(row.value.clone().map(|value| (key, value)));
        }
        taken
    }

    /// Forgets the row of `key`.
    pub(super) fn remove(&mut self, key: &K) {
        self.rows.remove(key);
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
    }
}
