// Package timeline keeps each connection's history in event-time order and
// answers what any stretch of it says, without folding it again.
//
// Entries are rows in the order of their Key. Above them stand up to Levels levels
// of blocks; a row per closed block caches the Summary of what is in it. Where
// blocks are cut depends on the keys alone (Key.Level), so the rows of a
// connection are a function of the set of its events: any order of arrival, any
// batch size and any rebuild leave the same bytes.
//
// Cost: an event in order writes its entry and, once in blockMean events, one
// block row. A late one reads and rewrites one path of blocks, O(log n) of them. The
// state at an instant, and any range statistic, joins O(log n) summaries.
//
// Flow: projections call Writer.Apply in the batch that carries the checkpoint;
// projections and api read with a Reader.
package timeline
