package timeline

// Keep bounds the nodes that the writer keeps from one connection to the next.
func (w *Writer) Keep(n int) { w.most = n }
