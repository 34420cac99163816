//! Payments, and how they are settled by looking at one account at a time.

use bytemuck::{Pod, Zeroable};

pub const WINDOWS: usize = 16;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Payment {
    pub payer: u32,
    pub payee: u32,
    pub amount: u32,
    pub window: u32,
}

/// The limits, and the balances after, by looking at one account at a time until all can afford theirs.
pub fn one_after_another(list: &[Payment], balances: &mut [u32]) -> Vec<u32> {
    let accounts = balances.len();
    let mut limits = vec![WINDOWS; accounts];
    let mut funds: Vec<i64> = balances.iter().map(|&units| i64::from(units)).collect();
    let mut own = vec![Vec::new(); accounts * WINDOWS];
    for payment in list {
        own[payment.payer as usize * WINDOWS + payment.window as usize].push(payment);
        funds[payment.payee as usize] += i64::from(payment.amount);
        funds[payment.payer as usize] -= i64::from(payment.amount);
    }
    // The windows come off from the last, so an account in debt gives up one at a time.
    let mut in_debt: Vec<usize> = (0..accounts).filter(|&one| funds[one] < 0).collect();
    while let Some(one) = in_debt.pop() {
        while funds[one] < 0 {
            limits[one] -= 1;
            for payment in &own[one * WINDOWS + limits[one]] {
                let payee = payment.payee as usize;
                funds[one] += i64::from(payment.amount);
                funds[payee] -= i64::from(payment.amount);
                if payee != one {
                    in_debt.push(payee);
                }
            }
        }
    }
    for (balance, funds) in balances.iter_mut().zip(funds) {
        *balance = u32::try_from(funds).expect("nobody is in debt");
    }
    limits.iter().map(|&limit| limit as u32).collect()
}
