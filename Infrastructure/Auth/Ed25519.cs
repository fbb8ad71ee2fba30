using System.Runtime.InteropServices;

namespace ChatBackend.Infrastructure.Auth;

/// <summary>Ed25519 signatures (RFC 8032). .NET 10 has no public type for them, so OpenSSL 3, which .NET uses on Linux, verifies them.</summary>
internal static class Ed25519
{
    public const int PublicKeyBytes = 32;
    public const int SignatureBytes = 64;

    private const string LibCrypto = "libcrypto.so.3";

    /// <summary>NID_ED25519 of OpenSSL's obj_mac.h.</summary>
    private const int KeyType = 1087;

    /// <summary>False where OpenSSL 3 is not installed, as on macOS.</summary>
    public static bool IsSupported { get; } = NativeLibrary.TryLoad(LibCrypto, out _);

    public static bool Verify(byte[] publicKey, byte[] message, byte[] signature)
    {
        if (publicKey.Length != PublicKeyBytes || signature.Length != SignatureBytes)
            return false;

        var key = EVP_PKEY_new_raw_public_key(KeyType, 0, publicKey, PublicKeyBytes);
        var context = EVP_MD_CTX_new();
        try
        {
            var isValid = key != 0 && context != 0
                && EVP_DigestVerifyInit(context, 0, 0, 0, key) == 1
                && EVP_DigestVerify(context, signature, SignatureBytes, message, (nuint)message.Length) == 1;
            // OpenSSL queues errors per thread: the next caller must not find them.
            if (!isValid)
                ERR_clear_error();
            return isValid;
        }
        finally
        {
            EVP_MD_CTX_free(context);
            EVP_PKEY_free(key);
        }
    }

    [DllImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint EVP_PKEY_new_raw_public_key(int type, nint engine, byte[] key, nuint length);

    [DllImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint EVP_MD_CTX_new();

    [DllImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int EVP_DigestVerifyInit(nint context, nint keyContext, nint digest, nint engine, nint key);

    [DllImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int EVP_DigestVerify(nint context, byte[] signature, nuint signatureLength, byte[] message, nuint messageLength);

    [DllImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern void EVP_MD_CTX_free(nint context);

    [DllImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern void EVP_PKEY_free(nint key);

    [DllImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern void ERR_clear_error();
}
