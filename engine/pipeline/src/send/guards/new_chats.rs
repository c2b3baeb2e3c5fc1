//! New chats: how many a session may open within 24 hours. Young sessions may
//! open few; the budget grows with their age.

use super::policy::NewChats;
use warest_model::clock::Millis;
use warest_model::jid::Jid;
use warest_store::ChatBudget;

/// What a budget is for.
pub const DAY_MS: Millis = 86_400_000;

impl NewChats {
    /// The budget of a session of this age.
    pub fn budget(&self, age_ms: Millis) -> u32 {
        let grown = age_ms.max(0).unsigned_abs();
        let full = u64::from(self.warm_up_days) * DAY_MS.unsigned_abs();
        if grown >= full {
            return self.per_day;
        }
        let more = u64::from(self.per_day.saturating_sub(self.warm_up_from));
        // Below `per_day`, as `grown` is below `full`.
        let more = u128::from(more) * u128::from(grown) / u128::from(full.max(1));
        self.warm_up_from.min(self.per_day) + more as u32
    }

    /// The budget at a moment, as the store counts it.
    pub fn at(&self, now_ms: Millis, age_ms: Millis) -> ChatBudget {
        ChatBudget { most: self.budget(age_ms).max(1), since_ms: now_ms - DAY_MS }
    }
}

/// Whether a chat is with one person: only those count.
pub fn is_person(chat: &Jid) -> bool {
    matches!(chat.server(), "s.whatsapp.net" | "lid")
}

#[cfg(test)]
mod tests {
    use super::super::policy::Policy;
    use super::*;

    #[test]
    fn the_budget_grows_from_day_to_day_and_then_stays() {
        let chats = NewChats { per_day: 50, warm_up_from: 5, warm_up_days: 10, ..Policy::default().new_chats };
        let budget = |days: f64| chats.budget((days * DAY_MS as f64) as Millis);
        assert_eq!((budget(-1.0), budget(0.0), budget(1.0), budget(5.0)), (5, 5, 9, 27));
        assert_eq!((budget(9.99), budget(10.0), budget(1_000.0)), (49, 50, 50));
        let mut last = 0;
        for hour in 0..=240 {
            let now = budget(f64::from(hour) / 24.0);
            assert!(now >= last && now <= 50);
            last = now;
        }
        assert_eq!(NewChats { warm_up_days: 0, ..chats }.budget(0), 50);
    }
}
