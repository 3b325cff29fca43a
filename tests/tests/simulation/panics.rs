//! Panics: noted wherever they happen, because a runtime hides those of its tasks.

use std::{cell::RefCell, sync::Once};

thread_local! {
    static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Notes panics from now on.
pub fn watch() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if proto::repeatable::is_entered() {
                SEEN.with_borrow_mut(|seen| seen.push(format!("a panic: {panic}")));
            } else {
                usual(panic);
            }
        }));
    });
}

/// The panics of this thread since the last look.
pub fn take() -> Vec<String> {
    SEEN.take()
}
