using System.Runtime.InteropServices;

namespace ChatBackend.Tests.Infrastructure.Auth;

/// <summary>Signs with Ed25519, through OpenSSL as the service verifies.</summary>
internal static class Ed25519Signer
{
    private const string LibCrypto = "libcrypto.so.3";
    private const int KeyType = 1087;

    public static byte[] PublicKeyOf(byte[] privateKey)
    {
        var key = EVP_PKEY_new_raw_private_key(KeyType, 0, privateKey, (nuint)privateKey.Length);
        var publicKey = new byte[32];
        nuint length = 32;
        Assert.Equal(1, EVP_PKEY_get_raw_public_key(key, publicKey, ref length));
        EVP_PKEY_free(key);
        return publicKey;
    }

    public static byte[] Sign(byte[] privateKey, byte[] message)
    {
        var key = EVP_PKEY_new_raw_private_key(KeyType, 0, privateKey, (nuint)privateKey.Length);
        var context = EVP_MD_CTX_new();
        var signature = new byte[64];
        nuint length = 64;
        Assert.Equal(1, EVP_DigestSignInit(context, 0, 0, 0, key));
        Assert.Equal(1, EVP_DigestSign(context, signature, ref length, message, (nuint)message.Length));
        EVP_MD_CTX_free(context);
        EVP_PKEY_free(key);
        return signature;
    }

    [DllImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint EVP_PKEY_new_raw_private_key(int type, nint engine, byte[] key, nuint length);

    [DllImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int EVP_PKEY_get_raw_public_key(nint key, byte[] publicKey, ref nuint length);

    [DllImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern nint EVP_MD_CTX_new();

    [DllImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int EVP_DigestSignInit(nint context, nint keyContext, nint digest, nint engine, nint key);

    [DllImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int EVP_DigestSign(nint context, byte[] signature, ref nuint signatureLength, byte[] message, nuint messageLength);

    [DllImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern void EVP_MD_CTX_free(nint context);

    [DllImport(LibCrypto)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern void EVP_PKEY_free(nint key);
}
