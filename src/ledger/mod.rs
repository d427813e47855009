//! Double entry: journals whose lines sum to zero, accounts whose balances are sums. Knows no service.
