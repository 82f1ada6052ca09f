// Package timeline keeps each connection's history in event-time order and
// answers what any stretch of it says, without folding it again.
//
// Entries are rows in the order of their Key. Above them stand Levels levels of
// blocks. A node row lists the closed blocks that lie within one block of the level
// above, each with the Summary of what is in it; the last block of a level, which is still open, is
// in no node. Where blocks are cut depends on the keys alone (Key.Level), so the
// rows of a connection are a function of the set of its events: any order of arrival,
// any batch size and any rebuild leave the same bytes.
//
// Cost: an event in order writes its entry and, once in 16 events, one node. A
// late one reads and rewrites one path of nodes, O(log n) of them. The state at an
// instant, and any range statistic, joins O(log n) summaries. Nodes are read by
// key and never iterated over: a node that is often rewritten would make an
// iterator step over each of its former versions.
//
// Flow: projections call Writer.Apply in the batch that carries the checkpoint;
// projections and api read with a Reader.
package timeline
