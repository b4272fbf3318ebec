package domain

// Status is the state of an order.
type Status string

// Statuses of an order. It starts as Pending and ends as Delivered or Cancelled.
const (
	Pending   Status = "pending"
	Paid      Status = "paid"
	Shipped   Status = "shipped"
	Delivered Status = "delivered"
	Cancelled Status = "cancelled"
)

// Statuses returns all statuses, in the usual order.
func Statuses() []Status {
	return []Status{Pending, Paid, Shipped, Delivered, Cancelled}
}

// Cancellable reports whether an order may be cancelled, which ends when it is shipped.
func (s Status) Cancellable() bool { return s == Pending || s == Paid }
