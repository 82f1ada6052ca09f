package timeline

// Version is the version of the summaries and nodes that are made of a timeline's entries: by
// Summary, Writer and Fold. Raise it where the code comes to make others of the same entries, in the same
// layout: every user's timelines are then summed up again, in the background.
const Version = 1
