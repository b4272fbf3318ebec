// Package accesscontrol is the service that knows the users: it gives them tokens for their passwords, says who a token
// belongs to, and takes tokens back.
//
// Its methods are access-control.login, access-control.validateToken and access-control.logout.
package accesscontrol

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.uber.org/fx"

	"example.com/warren/pkg/service"
	"example.com/warren/services/access-control/internal/adapters/bcrypt"
	"example.com/warren/services/access-control/internal/adapters/jwt"
	"example.com/warren/services/access-control/internal/adapters/rate"
	"example.com/warren/services/access-control/internal/adapters/rpc"
	"example.com/warren/services/access-control/internal/adapters/sqlite"
	"example.com/warren/services/access-control/internal/app"
	"example.com/warren/services/access-control/internal/domain"
)

// Config holds the service's settings.
type Config struct {
	Database      string        `name:"access-control-database" env:"ACCESS_CONTROL_DATABASE" default:"access-control.db" file:"" help:"SQLite file of the users and of the tokens that were taken back."`
	Keys          string        `name:"access-control-keys" env:"ACCESS_CONTROL_KEYS" default:"keys" file:"" help:"Directory of the keys that sign tokens; a key is made at first start."`
	Algorithm     jwt.Algorithm `name:"access-control-algorithm" env:"ACCESS_CONTROL_ALGORITHM" default:"EdDSA" enum:"EdDSA,RS256,HS256" help:"How tokens are signed: EdDSA, RS256 or HS256."`
	Issuer        string        `name:"access-control-issuer" env:"ACCESS_CONTROL_ISSUER" default:"warren" help:"The iss of tokens."`
	Audience      string        `name:"access-control-audience" env:"ACCESS_CONTROL_AUDIENCE" default:"warren" help:"The aud of tokens."`
	TokenLifetime time.Duration `name:"access-control-token-lifetime" env:"ACCESS_CONTROL_TOKEN_LIFETIME" default:"15m" help:"How long a token lasts."`
	Leeway        time.Duration `name:"access-control-leeway" env:"ACCESS_CONTROL_LEEWAY" default:"5s" help:"Difference between clocks to allow for, at most 30s."`
	BcryptCost    int           `name:"access-control-bcrypt-cost" env:"ACCESS_CONTROL_BCRYPT_COST" default:"12" demo:"10" help:"Work to check a password, 10 to 16; one more takes twice as long. A hash of another cost is replaced when its user logs in."`

	LoginFailuresPerUser    int           `name:"access-control-login-failures-per-user" env:"ACCESS_CONTROL_LOGIN_FAILURES_PER_USER" default:"10" help:"Logins of one user that may fail in a window; 0: no limit."`
	LoginFailuresPerAddress int           `name:"access-control-login-failures-per-address" env:"ACCESS_CONTROL_LOGIN_FAILURES_PER_ADDRESS" default:"50" help:"Logins from one client address (IPv6: /64) that may fail in a window; 0: no limit."`
	LoginWindow             time.Duration `name:"access-control-login-window" env:"ACCESS_CONTROL_LOGIN_WINDOW" default:"5m" help:"How long it takes until failed logins are forgotten, one by one."`
	LoginLimiterSize        int           `name:"access-control-login-limiter-size" env:"ACCESS_CONTROL_LOGIN_LIMITER_SIZE" default:"10000" help:"Users, and as many addresses, whose failed logins are remembered."`

	DemoData bool `name:"demo-data" env:"DEMO_DATA" default:"false" demo:"true" help:"Adds the users demo and admin, whose passwords are their names."`
}

const (
	minBcryptCost = 10
	maxBcryptCost = 16 // takes seconds: callers don't wait longer

	maxLoginWindow = 24 * time.Hour
)

// Validate reports every setting that is out of range.
func (c *Config) Validate() error {
	var errs []error
	if c.Database == "" || c.Keys == "" {
		errs = append(errs, errors.New("ACCESS_CONTROL_DATABASE and ACCESS_CONTROL_KEYS must not be empty"))
	}
	if c.Issuer == "" || c.Audience == "" {
		errs = append(errs, errors.New("ACCESS_CONTROL_ISSUER and ACCESS_CONTROL_AUDIENCE must not be empty"))
	}
	if c.TokenLifetime < time.Second {
		errs = append(errs, fmt.Errorf("ACCESS_CONTROL_TOKEN_LIFETIME must be at least 1s, is %s", c.TokenLifetime))
	}
	if c.Leeway < 0 || c.Leeway > domain.MaxLeeway {
		errs = append(errs, fmt.Errorf("ACCESS_CONTROL_LEEWAY must be between 0s and %s, is %s", domain.MaxLeeway, c.Leeway))
	}
	if c.BcryptCost < minBcryptCost || c.BcryptCost > maxBcryptCost {
		errs = append(errs, fmt.Errorf("ACCESS_CONTROL_BCRYPT_COST must be between %d and %d, is %d",
			minBcryptCost, maxBcryptCost, c.BcryptCost))
	}
	if c.LoginFailuresPerUser < 0 || c.LoginFailuresPerAddress < 0 {
		errs = append(errs, fmt.Errorf("ACCESS_CONTROL_LOGIN_FAILURES_PER_USER and _PER_ADDRESS must not be negative, are %d and %d",
			c.LoginFailuresPerUser, c.LoginFailuresPerAddress))
	}
	if c.LoginWindow < time.Second || c.LoginWindow > maxLoginWindow {
		errs = append(errs, fmt.Errorf("ACCESS_CONTROL_LOGIN_WINDOW must be between 1s and %s, is %s", maxLoginWindow, c.LoginWindow))
	}
	if c.LoginLimiterSize < 1 {
		errs = append(errs, fmt.Errorf("ACCESS_CONTROL_LOGIN_LIMITER_SIZE must be at least 1, is %d", c.LoginLimiterSize))
	}
	return errors.Join(errs...)
}

// New returns the service, to be run by the chassis.
func New() service.Service {
	return service.Service{
		Name:      "access-control",
		AdminAddr: "127.0.0.1:9092",
		Config:    new(Config),
		Module:    Module,
	}
}

// Module wires the service. It needs what the chassis gives, and a *Config.
var Module = fx.Module("access-control",
	fx.Provide(
		fx.Private, // so that it fits into one app with other services
		newDB,
		fx.Annotate(sqlite.NewUserStore, fx.As(new(app.UserStore))),
		fx.Annotate(sqlite.NewRevocationStore, fx.As(new(app.RevocationStore))),
		fx.Annotate(newHasher, fx.As(new(app.PasswordHasher))),
		fx.Annotate(newLoginLimiter, fx.As(new(app.LoginLimiter))),
		newKeyRing,
		fx.Annotate(newSigner, fx.As(new(app.TokenSigner))),
		fx.Annotate(newVerifier, fx.As(new(app.TokenVerifier))),
		newLoginOptions,
		app.NewLogin,
		app.NewValidateToken,
		app.NewLogout,
		app.NewRegister,
		newClock,
	),
	fx.Invoke(addDemoUsers, rpc.Register),
)

func newClock() func() time.Time { return time.Now }

func newDB(config *Config, lifecycle fx.Lifecycle) *sqlite.DB {
	db := sqlite.NewDB(config.Database)
	lifecycle.Append(fx.StartStopHook(db.Open, db.Close))
	return db
}

func newHasher(config *Config) (*bcrypt.Hasher, error) {
	return bcrypt.NewHasher(config.BcryptCost)
}

func newKeyRing(config *Config, logger *slog.Logger) (*jwt.KeyRing, error) {
	keys, err := jwt.LoadKeyRing(config.Keys, config.Algorithm)
	if err != nil {
		return nil, err
	}
	logger.Info("keys loaded", "algorithm", config.Algorithm, "signing_key", keys.SigningKeyID())
	return keys, nil
}

func newSigner(config *Config, keys *jwt.KeyRing) *jwt.Signer {
	return jwt.NewSigner(keys, config.Issuer, config.Audience)
}

func newVerifier(config *Config, keys *jwt.KeyRing, now func() time.Time) (*jwt.Verifier, error) {
	return jwt.NewVerifier(keys, jwt.VerifierOptions{
		Issuer:   config.Issuer,
		Audience: config.Audience,
		Leeway:   config.Leeway,
		Now:      now,
	})
}

func newLoginLimiter(config *Config, now func() time.Time) *rate.LoginLimiter {
	return rate.NewLoginLimiter(rate.LoginLimiterOptions{
		FailuresPerUser:    config.LoginFailuresPerUser,
		FailuresPerAddress: config.LoginFailuresPerAddress,
		Window:             config.LoginWindow,
		Size:               config.LoginLimiterSize,
		Now:                now,
	})
}

func newLoginOptions(config *Config, now func() time.Time, logger *slog.Logger) app.LoginOptions {
	return app.LoginOptions{Lifetime: config.TokenLifetime, Now: now, Logger: logger}
}

func addDemoUsers(config *Config, lifecycle fx.Lifecycle, register *app.Register) {
	if !config.DemoData {
		return
	}
	lifecycle.Append(fx.StartHook(func(ctx context.Context) error { return seed(ctx, register) }))
}
