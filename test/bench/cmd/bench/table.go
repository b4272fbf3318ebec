package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// tableCommand is the command table.
type tableCommand struct {
	Rows     []string      `help:"Rows to measure, of raw, raw-as-rpc, minimal, rpc, gateway, gateway-checked, gateway-quorum, article and http, and with --peers of nestjs and moleculer. The others are compared with the first. Default: all."`
	Peers    bool          `help:"Measure the frameworks of test/bench/peers too. make bench-peers installs them."`
	Growth   bool          `default:"true" negatable:"" help:"Measure how the cost of a call grows."`
	Callers  []int         `default:"1,64,256" help:"Numbers of callers."`
	Rounds   int           `default:"3" help:"Number of measurements of each row, in turns."`
	WarmUp   time.Duration `default:"1s" help:"Time before each measurement."`
	Duration time.Duration `default:"3s" help:"Time of each measurement."`
	Procs    int           `help:"GOMAXPROCS of the Go programs; 0: the number of processors."`
	Results  string        `default:"test/bench/results" help:"Folder for the table; empty: print it only."`
}

// Run is called by kong.
func (c *tableCommand) Run(ctx context.Context) error {
	lab, err := newLab(ctx, allPrograms)
	if err != nil {
		return err
	}
	defer lab.close()
	if c.Procs > 0 {
		lab.settings = append(lab.settings, "GOMAXPROCS="+strconv.Itoa(c.Procs))
	}
	available := starters
	if c.Peers {
		available = slices.Concat(starters, peerStarters)
	}
	rows, err := lab.rows(ctx, available, c.Rows)
	if err != nil {
		return err
	}
	results, err := lab.measureAll(ctx, rows, c)
	if err != nil {
		return err
	}
	var growths []growth
	var held float64
	if c.Growth {
		if growths, err = lab.measureGrowths(ctx, c.Rounds); err != nil {
			return err
		}
		if held, err = lab.measureHeld(ctx); err != nil {
			return err
		}
	}
	report := newReport(ctx, lab.node.Version(), rows, results, c)
	if c.Growth {
		report += growthReport(growths, held)
	}
	fmt.Println(report)
	return c.save(report)
}
