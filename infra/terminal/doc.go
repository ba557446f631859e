// Package terminal fits text to the terminal it is written to: widths in cells, tables that never wrap, colours that are there only
// where a person looks. It asks for nothing but the terminal's size, and knows nothing of what the text says. Text that
// comes from elsewhere must have lost its control characters before.
package terminal
