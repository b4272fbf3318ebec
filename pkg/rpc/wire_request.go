package rpc

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"example.com/warren/pkg/messaging"
)

// encodeRequest returns the message that carries r. Its reply goes to replyTo.
func encodeRequest(r *Request, replyTo, appID string, persistent bool, now time.Time) messaging.Message {
	headers := map[string]any{headerVersion: int64(wireVersion)}
	setString(headers, headerMethod, r.Method)
	setString(headers, headerPath, r.Path)
	setString(headers, headerRoute, r.Route)
	if len(r.Params) > 0 {
		params := make(map[string]any, len(r.Params))
		for name, value := range r.Params {
			params[name] = value
		}
		headers[headerParams] = params
	}
	setLists(headers, headerQuery, r.Query)
	setLists(headers, headerHeaders, r.Header)
	if r.Identity != nil {
		headers[headerIdentity] = encodeIdentity(r.Identity)
	}
	if !r.Deadline.IsZero() {
		headers[headerDeadline] = r.Deadline.UnixMilli()
	}
	return messaging.Message{
		ID:            r.ID,
		Type:          typeRequest,
		AppID:         appID,
		ContentType:   r.ContentType,
		CorrelationID: r.ID,
		ReplyTo:       replyTo,
		Headers:       headers,
		Body:          r.Body,
		Timestamp:     now,
		TTL:           ttlUntil(r.Deadline, now),
		Persistent:    persistent,
	}
}

func encodeIdentity(i *Identity) map[string]any {
	table := map[string]any{}
	setString(table, identitySubject, i.Subject)
	setString(table, identityUsername, i.Username)
	setString(table, identityTokenID, i.TokenID)
	if len(i.Scopes) > 0 {
		table[identityScopes] = stringArray(i.Scopes)
	}
	if !i.ExpiresAt.IsZero() {
		table[identityExpiresAt] = i.ExpiresAt.Unix()
	}
	return table
}

// decodeRequest reads a request that arrived on queue. A message without any reserved header is a plain requester's:
// a body, without identity and deadline.
func decodeRequest(queue string, m messaging.Message) (*Request, error) {
	r := &Request{Queue: queue, ID: m.CorrelationID, ContentType: m.ContentType, Body: m.Body}
	versioned, err := getVersion(m.Headers)
	if err != nil {
		return nil, err
	}
	if !versioned {
		if hasReserved(m.Headers) {
			return nil, errNoVersion
		}
		return r, nil
	}
	if r.Method, err = getString(m.Headers, headerMethod); err != nil {
		return nil, err
	}
	if r.Path, err = getString(m.Headers, headerPath); err != nil {
		return nil, err
	}
	if r.Route, err = getString(m.Headers, headerRoute); err != nil {
		return nil, err
	}
	if r.Params, err = getStringTable(m.Headers, headerParams); err != nil {
		return nil, err
	}
	query, err := getLists(m.Headers, headerQuery)
	if err != nil {
		return nil, err
	}
	r.Query = url.Values(query)
	if r.Header, err = getHeader(m.Headers); err != nil {
		return nil, err
	}
	if r.Identity, err = decodeIdentity(m.Headers); err != nil {
		return nil, err
	}
	r.Deadline, err = decodeDeadline(m.Headers)
	return r, err
}

func decodeDeadline(headers map[string]any) (time.Time, error) {
	ms, ok, err := getInteger(headers, headerDeadline)
	if !ok || err != nil {
		return time.Time{}, err
	}
	if ms <= 0 {
		return time.Time{}, fmt.Errorf("%s is %d, not after 1970", headerDeadline, ms)
	}
	return time.UnixMilli(ms), nil
}

var errNoSubject = errors.New(headerIdentity + " has no " + identitySubject)

func decodeIdentity(headers map[string]any) (*Identity, error) {
	table, ok, err := getTable(headers, headerIdentity)
	if !ok || err != nil {
		return nil, err
	}
	i := &Identity{}
	if i.Subject, err = getString(table, identitySubject); err != nil {
		return nil, fmt.Errorf("%s: %w", headerIdentity, err)
	}
	if i.Subject == "" {
		return nil, errNoSubject
	}
	if i.Username, err = getString(table, identityUsername); err != nil {
		return nil, fmt.Errorf("%s: %w", headerIdentity, err)
	}
	if i.TokenID, err = getString(table, identityTokenID); err != nil {
		return nil, fmt.Errorf("%s: %w", headerIdentity, err)
	}
	if i.Scopes, err = getStrings(table, identityScopes); err != nil {
		return nil, fmt.Errorf("%s: %w", headerIdentity, err)
	}
	seconds, ok, err := getInteger(table, identityExpiresAt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", headerIdentity, err)
	}
	if ok {
		i.ExpiresAt = time.Unix(seconds, 0).UTC()
	}
	return i, nil
}
