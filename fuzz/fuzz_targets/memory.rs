//! An allocator that knows how much is taken, and how much was at most.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

static TAKEN: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Forgets the peak; gives the bytes taken just now.
pub fn start() -> usize {
    let taken = TAKEN.load(Relaxed);
    PEAK.store(taken, Relaxed);
    taken
}

/// The most bytes that were taken since [`start`].
pub fn peak() -> usize {
    PEAK.load(Relaxed)
}

// SAFETY: the system's allocator does all the work; only numbers are added and subtracted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout);
        unsafe { System.alloc(layout) }
    }

    // Its own, since memory that is never touched, as a large window may be, must stay untouched.
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn count(layout: Layout) {
    let taken = TAKEN.fetch_add(layout.size(), Relaxed) + layout.size();
    PEAK.fetch_max(taken, Relaxed);
}
