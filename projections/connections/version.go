package connections

// Version is the version of a connection's row and of the index by health: of what they say of a
// timeline. Raise it where the code comes to say something else of the same entries, in the same layout
// (another health of the same facets, say): every user's rows are then made again, in the background.
const Version = 1
