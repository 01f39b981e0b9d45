package blob

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
)

// azureError turns an error of the client into a *storeError, or into the
// error of ctx when that has ended. The client's errors hold whole URLs, and a
// URL may hold a SAS: none of them is kept or wrapped.
func azureError(ctx context.Context, op, name string, err error) error {
	if ctxErr := ctx.Err(); ctxErr != nil {
		return ctxErr
	}
	se := &storeError{op: op, name: name}
	var re *azcore.ResponseError
	var ae *azidentity.AuthenticationFailedError
	switch {
	case errors.As(err, &re):
		se.failure = responseFailure(re)
		se.detail = fmt.Sprintf("answer %d %s", re.StatusCode, re.ErrorCode)
		if id := responseHeader(re, "x-ms-request-id"); id != "" {
			se.detail += " (request " + id + ")"
		}
	case errors.As(err, &ae):
		se.failure, se.detail = failUnavailable, "no token: "+firstLine(ae.Error())
	default:
		se.failure, se.err = networkFailure(err), bareError(err)
	}
	return se
}

func responseHeader(re *azcore.ResponseError, key string) string {
	if re.RawResponse == nil {
		return ""
	}
	return re.RawResponse.Header.Get(key)
}

func responseFailure(re *azcore.ResponseError) failure {
	switch bloberror.Code(re.ErrorCode) {
	case bloberror.BlobAlreadyExists, bloberror.ConditionNotMet, bloberror.BlobImmutableDueToPolicy,
		bloberror.UnauthorizedBlobOverwrite:
		return failExists
	case bloberror.BlobNotFound:
		return failNotFound
	case bloberror.InvalidResourceName, bloberror.InvalidURI, bloberror.RequestURLFailedToParse,
		bloberror.OutOfRangeInput:
		return failRejected
	case bloberror.InvalidBlockList, bloberror.OperationTimedOut, bloberror.InternalError:
		return failUnknown
	case bloberror.ServerBusy, bloberror.ContainerNotFound, bloberror.ContainerBeingDeleted:
		return failUnavailable
	}
	switch {
	case re.StatusCode == http.StatusPreconditionFailed:
		return failExists
	case re.StatusCode == http.StatusRequestTimeout, re.StatusCode >= 500:
		// Also what a proxy in between answers while the service goes on.
		return failUnknown
	}
	return failUnavailable
}

// networkFailure tells a request that was never sent from one whose answer was
// lost.
func networkFailure(err error) failure {
	var op *net.OpError
	if errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect") {
		return failUnavailable
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return failUnavailable
	}
	return failUnknown
}

// bareError drops the layers that quote the request's URL.
func bareError(err error) error {
	for {
		var ue *url.Error
		if !errors.As(err, &ue) {
			break
		}
		err = ue.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errTryTimeout
	}
	// What is left is of the network. Should it quote a URL all the same, only
	// its kind is told.
	if text := err.Error(); strings.Contains(text, "sig=") || strings.Contains(text, "://") {
		return fmt.Errorf("%T", err)
	}
	return err
}

var errTryTimeout = errors.New("no answer within tryTimeout")

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return strings.TrimSpace(s)
}
