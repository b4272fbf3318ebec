// Package keyring keeps private keys in a directory, and follows the changes of its files while the service runs.
//
// # Files
//
// A file named *.pem holds one Ed25519 or RSA private key, as PKCS#8 in PEM. Files whose names begin with a dot are ignored.
//
// The owner and the group of a file may use the key, other users must not. The group may write to the directory, as in a
// Kubernetes volume with fsGroup, and other users may if its sticky bit is set, as in a mounted Secret. In both cases root or
// the service's user must own all key files.
//
// The ID of a key is the SHA-256 hash of its public key. Keys of different replicas therefore never have the same ID, and a
// file may be renamed.
//
// # Replicas
//
// All replicas must have the same keys: mount one directory, or one Secret, into each of them. [Open] makes a key if there is
// none; replicas that start at the same time in one directory make one key.
//
// # Rotation
//
// Every key verifies, with its own algorithm only. Of the keys of the configured algorithm, the one whose file name sorts last
// signs, but never a file named *.next.pem. Replicas read the directory every 10 seconds, and when they see an unknown ID. So
// a key is replaced without a restart, and verifies everywhere before it signs anywhere:
//
//  1. Add the key as 0002-eddsa.next.pem. Each replica logs that it has loaded it.
//  2. Rename the file to 0002-eddsa.pem. From then on the key signs.
//  3. Remove the old file when all that the old key signed has expired.
package keyring
