// Package validatetest proves that a side keeps the contract of package
// feed/validate.
//
// [TestSide] is a conformance suite: every side runs it over the real place.
// [Memory] is a side in memory that keeps the contract and fails on command, for
// tests of what compares sides.
package validatetest
