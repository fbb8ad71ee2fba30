namespace ChatBackend.Infrastructure.Docusaurus;

/// <summary>A document that cannot be ingested. The message tells the book's author why.</summary>
internal sealed class DocumentException(string message, Exception? innerException = null) : Exception(message, innerException);
