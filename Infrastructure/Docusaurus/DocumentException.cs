namespace ChatBackend.Infrastructure.Docusaurus;

/// <summary>A document that cannot be ingested; the message says why, in words for the book's author.</summary>
internal sealed class DocumentException(string message, Exception? innerException = null) : Exception(message, innerException);
