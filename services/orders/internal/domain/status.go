package domain

// Status is where an order is on its way.
type Status string

// The statuses. An order starts as Pending and ends as Delivered or Cancelled.
const (
	Pending   Status = "pending"
	Paid      Status = "paid"
	Shipped   Status = "shipped"
	Delivered Status = "delivered"
	Cancelled Status = "cancelled"
)

// Statuses lists them in an order's usual course.
func Statuses() []Status {
	return []Status{Pending, Paid, Shipped, Delivered, Cancelled}
}

// Cancellable reports whether an order may be cancelled: until it is shipped.
func (s Status) Cancellable() bool { return s == Pending || s == Paid }
